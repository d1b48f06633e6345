package master

import (
	"cmp"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
)

// Options say what is tapped. The zero value is every table of every user schema.
type Options struct {
	Slot        string   // empty: bridge
	Publication string   // empty: bridge
	Include     []string // patterns as in config.Tables; none: every table
	Exclude     []string // wins over Include

	// Patience is how long Init and Drop wait for other transactions: for locks, a table at a time,
	// and for those that a new slot has to outlive. Zero: a minute.
	Patience time.Duration
}

func (o Options) withDefaults() Options {
	o.Slot = cmp.Or(o.Slot, "bridge")
	o.Publication = cmp.Or(o.Publication, "bridge")
	o.Patience = cmp.Or(o.Patience, time.Minute)
	if o.Include == nil {
		o.Include = []string{}
	}
	if o.Exclude == nil {
		o.Exclude = []string{}
	}
	return o
}

// Table is a table of the master.
type Table struct {
	OID    uint32
	Schema string
	Name   string
}

func (t Table) String() string { return t.Schema + "." + t.Name }

func (t Table) quoted() string { return pgx.Identifier{t.Schema, t.Name}.Sanitize() }

// Skipped is a table that matches the patterns and is not replicated.
type Skipped struct {
	Table
	Reason string
}

// Report is what Init did, and what there is now.
type Report struct {
	First     bool            // the log began with this Init
	Anchor    change.Position // where the log begins: no block yet, the LSN is the slot's start
	Published int             // tables in the publication
	Full      []Table         // got another replica identity, almost always FULL, for want of a usable key
	Restored  []Table         // got their own replica identity back, as it is usable again
	Removed   []Table         // left the publication: the patterns do not match any more
	Skipped   []Skipped       // match, and could not be published

	// Added are the tables that came into the publication after the log had begun. The rows that they
	// had are not in the log; they stand in bridge.added_table too.
	Added []Table

	// Triggers says that the event triggers are there. Without them (they need a superuser) tables that
	// are made later are replicated only after another Init, and update and delete fail on a published
	// table that loses its primary key until then.
	Triggers bool
}

// TableError says that something could not be done to a table in time.
type TableError struct {
	Table    Table
	Blockers []Blocker // who held it
	Err      error
}

func (e *TableError) Error() string {
	if len(e.Blockers) == 0 {
		return fmt.Sprintf("table %s: %v", e.Table, e.Err)
	}
	return fmt.Sprintf("table %s is locked by %s: %v; wait for it or end it, then run the command again",
		e.Table, describe(e.Blockers), e.Err)
}

func (e *TableError) Unwrap() error { return e.Err }
