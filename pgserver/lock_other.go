//go:build !unix

package pgserver

import "context"

// lockFile does nothing: there are no packages to fetch for these systems.
func lockFile(context.Context, string) (unlock func(), err error) { return func() {}, nil }
