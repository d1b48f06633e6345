// Package check compares a master's table with a replica's while both are in use, and names exactly what differs.
//
// A difference it reports is real: it is proven from versions of rows read on both sides around a wait for the
// replica, so that a transaction on its way is never taken for one. And what differed when the check began, and goes
// on differing, is found. DESIGN.md has the method and its proofs.
//
// Memory is bounded whatever the size of the tables: rows are hashed in the servers, differing regions are streamed,
// and keys to look at again are kept in a temporary file.
package check

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrGone says that the master has no such table: it was dropped, or renamed, since it was listed.
var ErrGone = errors.New("table is no longer on the master")

// Column is a column that is compared.
type Column struct {
	Name      string
	Generated bool // stored, that is: virtual columns hold no data and are not compared
}

// Table is a table to compare, as the master has it.
type Table struct {
	Schema, Name string
	Columns      []Column
	Key          []string // columns of the primary key or the replica identity index; empty: there is none
}

// String returns schema.name, unquoted.
func (t Table) String() string { return t.Schema + "." + t.Name }

// What a Difference can be.
const (
	MissingTable  = "table missing on replica"
	MissingColumn = "column missing on replica"
	MissingRow    = "missing on replica"
	OnlyOnReplica = "only on replica"
	Differs       = "differs"
)

// Difference is one thing that is not on the replica as it is on the master.
type Difference struct {
	Table string // schema.name
	// Key names the row: id=17, or (a=1, b='x'). In a table without a key it is the start of the row's text.
	// It is empty for a missing table or column.
	Key     string
	What    string
	Columns []string // the columns that differ, or are missing
	// Master and Replica show the values, shortened; empty for a side that has nothing.
	Master, Replica string
}

// String says the difference in one line.
func (d Difference) String() string {
	s := d.Table + ":"
	if d.Key != "" {
		s += " " + d.Key
	}
	s += " " + d.What
	switch {
	case d.What == MissingColumn:
		return s + ": " + list(d.Columns)
	case len(d.Columns) > 0:
		s += " in " + list(d.Columns)
	}
	switch {
	case d.Master != "" && d.Replica != "":
		s += ": " + d.Master + " on master, " + d.Replica + " on replica"
	case d.Master != "":
		s += ": " + d.Master
	case d.Replica != "":
		s += ": " + d.Replica
	}
	return s
}

// Options adjust a comparison. The zero value compares two databases that are at rest.
type Options struct {
	// Limit is how many differences of a table are reported; the rest is counted. Default 20.
	Limit int
	// Progress, if set, is told how many rows have been read on both sides together, of about how many. Calls do not
	// overlap.
	Progress func(table string, rows, total int64)
	// CatchUp returns when the replica shows all that was committed on the master when it was called. It must not use
	// the connections that Data was given. Without it the replica is taken as it is: both sides must be at rest.
	CatchUp func(ctx context.Context) error
}

func (o Options) withDefaults() Options {
	if o.Limit <= 0 {
		o.Limit = 20
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	if o.CatchUp == nil {
		o.CatchUp = func(context.Context) error { return nil }
	}
	return o
}

// Result is what a comparison found.
type Result struct {
	Rows        int64        // rows of the master's table
	Differences []Difference // at most Options.Limit
	More        int64        // differences beyond those
	// Unsettled names rows that were different at every look and changed between all of them, too fast to say
	// whether the replica is wrong or only a moment behind. They are not known to differ. At most Options.Limit are
	// named; UnsettledMore counts the rest.
	Unsettled     []string
	UnsettledMore int64
}

// Equal says that nothing was found: no difference, and no row that could not be settled.
func (r Result) Equal() bool {
	return len(r.Differences) == 0 && r.More == 0 && len(r.Unsettled) == 0 && r.UnsettledMore == 0
}

// Data compares the rows of t on the master and the replica. Both connections must have been given to Pin, and be
// used by nothing else meanwhile. Both servers may go on working; a schema change that comes in between makes Data
// start over. Columns that the master has dropped since t was made are not compared; if the whole table is gone, the
// error is ErrGone.
//
// While it reads the table Data holds a snapshot on either side, as pg_dump does, and a lock that only schema changes
// wait for. It holds no lock while it waits for the replica, which may have to apply such a change first.
func Data(ctx context.Context, master, replica *pgx.Conn, t Table, opt Options) (Result, error) {
	for try := 1; ; try++ {
		c := &comparison{table: t, opt: opt.withDefaults()}
		err := c.run(ctx, master, replica)
		if err == nil {
			return c.result, nil
		}
		if try == 3 || !changedSchema(err) {
			return Result{}, fmt.Errorf("check %s: %w", t, err)
		}
	}
}

// changedSchema says whether a statement failed because a table or column it names has gone.
func changedSchema(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "42P01" || e.Code == "42703")
}

// comparison is the work on one table.
type comparison struct {
	table           Table
	opt             Options
	master, replica *side
	result          Result
}

func (c *comparison) run(ctx context.Context, master, replica *pgx.Conn) error {
	comparable, err := c.open(ctx, master, replica)
	if err != nil || !comparable {
		return err
	}
	buckets, err := c.scan(ctx)
	if err != nil {
		return err
	}
	for _, part := range parts(buckets) {
		if err := c.detail(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// detail finds the rows that differ in some buckets, and settles each.
func (c *comparison) detail(ctx context.Context, buckets []int32) error {
	found := &spool{}
	defer found.Close()
	if err := c.merge(ctx, buckets, found.Add); err != nil {
		return err
	}
	size := firstBatch
	for {
		keys, err := found.Next(size)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return nil
		}
		if err := c.settle(ctx, keys); err != nil {
			return err
		}
		size = laterBatch
	}
}

// The first differences of a table should be known soon; when there are many, the waits between looks should be few.
const (
	firstBatch = 1000
	laterBatch = 20000
)

// catchUp waits for the replica.
func (c *comparison) catchUp(ctx context.Context) error {
	if err := c.opt.CatchUp(ctx); err != nil {
		return fmt.Errorf("wait for the replica: %w", err)
	}
	return nil
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
