//go:build !unix

package demo

// lock does nothing: there are no servers for these systems.
func lock(string) (unlock func(), err error) { return func() {}, nil }
