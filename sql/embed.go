// Package sql holds the SQL that the bridge installs in databases. Every script is
// safe to run again and under any search_path.
package sql

import _ "embed"

// Log makes the log's tables, alike on the master and on every PostgreSQL replica.
//
//go:embed log.sql
var Log string

// Master makes what the master needs besides: settings, and the functions that keep
// the publication up to date.
//
//go:embed master.sql
var Master string

// Capture makes what tells the log of changes of the schema. It comes after Master and
// after the function bridge.catalog, which differs by version.
//
//go:embed capture.sql
var Capture string

// Replica makes what a replica keeps of itself.
//
//go:embed replica.sql
var Replica string
