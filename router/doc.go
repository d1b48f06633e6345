// Package router will hold the pgwire router, which sends an application's
// writes to the master and its reads to the nearest replica that is fresh
// enough. It is not built yet: a configuration with a router section is refused.
package router
