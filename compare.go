package pgbridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/check"
	"github.com/pgbridge/pgbridge/config"
	"github.com/pgbridge/pgbridge/schema"
	"github.com/pgbridge/pgbridge/sink/postgres"
)

// CheckOptions say what is compared, and who hears of it meanwhile.
type CheckOptions struct {
	Replicas []string      // none: all of the configuration
	Tables   string        // pattern as in config.Tables; empty: all that are replicated
	Limit    int           // differences of a table that are named; the rest is counted. Default 20
	Patience time.Duration // how long a replica may take to catch up. Default 30 s

	Found    func(CheckFinding)
	Progress func(replica, table string, rows, total int64)
}

// CheckFinding is one thing that is not on a replica as it is on the master.
type CheckFinding struct {
	Replica   string   `json:"replica"`
	Object    string   `json:"object,omitempty"` // of the schema
	Table     string   `json:"table,omitempty"`
	Key       string   `json:"key,omitempty"` // names the row; of a table without a key, the row itself
	What      string   `json:"what"`
	Columns   []string `json:"columns,omitempty"`
	OnMaster  string   `json:"on_master,omitempty"`
	OnReplica string   `json:"on_replica,omitempty"`

	keyless bool
}

// String names the finding on one line.
func (f CheckFinding) String() string {
	s := f.Replica
	switch {
	case f.Object != "":
		s += " " + f.Object
	case f.Key != "" && f.keyless:
		s += " " + f.Table + " row " + f.Key
	case f.Key != "":
		s += " " + f.Table + " key " + f.Key
	case f.Table != "":
		s += " " + f.Table
	}
	s += " " + f.What
	if len(f.Columns) > 0 {
		s += ": " + strings.Join(f.Columns, ", ")
	}
	var sides []string
	if f.OnMaster != "" {
		sides = append(sides, "master "+f.OnMaster)
	}
	if f.OnReplica != "" {
		sides = append(sides, "replica "+f.OnReplica)
	}
	if len(sides) > 0 {
		s += ": " + strings.Join(sides, ", ")
	}
	return s
}

// CheckReport is what was compared with one replica.
type CheckReport struct {
	Replica  string         `json:"replica"`
	Tables   int            `json:"tables"`
	Rows     int64          `json:"rows"`
	Findings []CheckFinding `json:"findings"`
	More     int64          `json:"more"` // differing rows beyond those that are named
	// Notes are not known to be differences: objects that only the replica has, rows
	// that changed too fast to be compared, objects that are not replicated.
	Notes []string `json:"notes"`
	Error string   `json:"error"` // why the comparison did not come to its end
}

// ErrNoTable says that no replicated table matches a pattern.
var ErrNoTable = errors.New("no replicated table matches")

// Check compares replicas with the master, schema and data, while all go on working.
// A replica that stands still is compared as it is. There is a report for each
// replica; the error is for what concerns them all.
func (b *Bridge) Check(ctx context.Context, o CheckOptions) ([]CheckReport, error) {
	if len(o.Replicas) == 0 {
		for _, r := range b.Config.Replicas {
			o.Replicas = append(o.Replicas, r.Name)
		}
	}
	if o.Patience == 0 {
		o.Patience = 30 * time.Second
	}
	master, err := b.Connect(ctx, "")
	if err != nil {
		return nil, err
	}
	defer closeSoon(master)
	if err := check.Pin(ctx, master); err != nil {
		return nil, fmt.Errorf("master: %w", err)
	}
	var reports []CheckReport
	for _, name := range o.Replicas {
		c := &comparing{b: b, o: o, master: master, report: CheckReport{Replica: name, Findings: []CheckFinding{}, Notes: []string{}}}
		err := c.run(ctx)
		switch {
		case errors.Is(err, ErrNoTable), ctx.Err() != nil:
			return reports, err
		case err != nil:
			c.report.Error = err.Error()
		}
		reports = append(reports, c.report)
		if master.IsClosed() {
			return reports, err
		}
	}
	return reports, nil
}

// comparing is the comparison with one replica.
type comparing struct {
	b       *Bridge
	o       CheckOptions
	master  *pgx.Conn
	replica *pgx.Conn
	catchUp func(context.Context) error // nil: the replica is compared as it is
	report  CheckReport
}

func (c *comparing) found(f CheckFinding) {
	f.Replica = c.report.Replica
	c.report.Findings = append(c.report.Findings, f)
	if c.o.Found != nil {
		c.o.Found(f)
	}
}

func (c *comparing) note(format string, args ...any) {
	c.report.Notes = append(c.report.Notes, fmt.Sprintf(format, args...))
}

func (c *comparing) run(ctx context.Context) (err error) {
	tables, err := check.Tables(ctx, c.master, c.b.Config.Master.Publication, c.wanted)
	if err != nil {
		return fmt.Errorf("master: %w; run bridge init", err)
	}
	if len(tables) == 0 && c.o.Tables != "" {
		return fmt.Errorf("%w %q", ErrNoTable, c.o.Tables)
	}
	if c.replica, err = c.b.Connect(ctx, c.report.Replica); err != nil {
		return err
	}
	defer closeSoon(c.replica)
	if err := check.Pin(ctx, c.replica); err != nil {
		return fmt.Errorf("replica %s: %w", c.report.Replica, err)
	}
	waiter, err := c.b.newWaiter(ctx, []string{c.report.Replica})
	if err != nil {
		return err
	}
	defer waiter.close()
	if err := c.meet(ctx, waiter); err != nil {
		return err
	}
	missing, err := c.schema(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if err := c.table(ctx, t, missing); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparing) wanted(schema, table string) bool {
	return c.o.Tables == "" || config.Tables{Include: []string{c.o.Tables}}.Match(schema, table)
}

// meet waits for the replica, and decides what to do with one that does not come.
func (c *comparing) meet(ctx context.Context, w *waiter) error {
	wait := func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, c.o.Patience)
		defer cancel()
		return w.wait(ctx)
	}
	err := wait(ctx)
	behind, ok := errors.AsType[*BehindError](err)
	if err == nil {
		c.catchUp = wait
		return nil
	}
	if !ok || ctx.Err() != nil {
		return err
	}
	if len(behind.Behind) == 0 {
		c.note("compared as it is: %v", err)
		return nil
	}
	r := behind.Behind[0]
	if r.State == "" || r.State == StateUnreachable || r.State == StateCopying {
		return err
	}
	if r.Problem != "" {
		c.found(CheckFinding{What: fmt.Sprintf("stands still at block %d: %s", r.Position.Seq, r.Problem)})
	}
	c.note("compared as it is, at block %d: what the master has committed since counts as a difference", r.Position.Seq)
	return nil
}

// schema compares what belongs to the wanted tables, or all of the schema, and returns
// the tables and columns that the replica lacks.
func (c *comparing) schema(ctx context.Context) (missing map[string]bool, err error) {
	differences, err := c.schemaDiff(ctx)
	if err != nil {
		return nil, err
	}
	missing = map[string]bool{}
	for _, d := range differences {
		name := schema.Object{Kind: d.Kind, Schema: d.Schema, Table: d.Table, Name: d.Name}
		switch {
		case d.Kind == schema.KindReplicaIdentity:
		case c.o.Tables != "" && !c.ofWantedTable(d):
		case d.What == schema.OnlyOnReplica:
			c.note("only on replica: %s", name.String())
		default:
			f := CheckFinding{Object: name.String(), What: string(d.What)}
			if d.What == schema.Differs {
				f.OnMaster, f.OnReplica = d.Apart()
			} else if d.Kind == schema.KindTable {
				missing[d.Schema+"."+d.Name] = true
			} else if d.Kind == schema.KindColumn {
				missing[d.Schema+"."+d.Table+"."+d.Name] = true
			}
			c.found(f)
		}
	}
	return missing, nil
}

func (c *comparing) ofWantedTable(d schema.Difference) bool {
	switch {
	case d.Table != "":
		return c.wanted(d.Schema, d.Table)
	case d.Kind == schema.KindTable:
		return c.wanted(d.Schema, d.Name)
	}
	return false
}

// schemaDiff compares the schemas. What the master changes meanwhile is no difference.
func (c *comparing) schemaDiff(ctx context.Context) ([]schema.Difference, error) {
	option := schema.Options{Table: c.b.Config.Master.Tables.Match}
	for look := 1; ; look++ {
		var differences []schema.Difference
		var missing []string
		var pending []postgres.PendingIndex
		steady := false
		master, err := schema.Read(ctx, c.master, option)
		if err == nil && c.catchUp != nil {
			if err := c.catchUp(ctx); err != nil {
				return nil, err
			}
		}
		if err == nil {
			var replica, again *schema.Model
			if pending, err = postgres.PendingIndexes(ctx, c.replica); err != nil {
				return nil, fmt.Errorf("replica %s: %w", c.report.Replica, err)
			}
			if replica, err = schema.Read(ctx, c.replica, option); err == nil {
				again, err = schema.Read(ctx, c.master, option)
			}
			if err == nil {
				differences = schema.Diff(postgres.WithoutPending(again, pending), replica)
				steady = len(schema.Diff(master, again)) == 0 || len(differences) == 0
				missing = schema.MissingRoles(again, replica)
			}
		}
		if err == nil && steady {
			for _, object := range master.NotCovered {
				c.note("not replicated: %s", object)
			}
			for _, p := range pending {
				c.note("is being built on the replica: %s", p)
			}
			for _, role := range missing {
				c.note("role %s is not on the replica: what it owns or may do is not compared", schema.Quote(role))
			}
			return differences, nil
		}
		if look == 5 || ctx.Err() != nil {
			if err == nil {
				err = errors.New("the master's schema changes all the time")
			}
			return nil, fmt.Errorf("compare the schemas: %w", err)
		}
		sleep(ctx, 200*time.Millisecond)
	}
}

// table compares the rows of one table.
func (c *comparing) table(ctx context.Context, t check.Table, missing map[string]bool) error {
	if missing[t.String()] {
		return nil // said already
	}
	option := check.Options{Limit: c.o.Limit, CatchUp: c.catchUp}
	if c.o.Progress != nil {
		option.Progress = func(table string, rows, total int64) { c.o.Progress(c.report.Replica, table, rows, total) }
	}
	result, err := check.Data(ctx, c.master, c.replica, t, option)
	if errors.Is(err, check.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	c.report.Tables++
	c.report.Rows += result.Rows
	for _, d := range result.Differences {
		switch d.What {
		case check.MissingTable:
			if missing[t.String()] {
				continue
			}
		case check.MissingColumn:
			d.Columns = without(d.Columns, func(name string) bool { return missing[t.String()+"."+name] })
			if len(d.Columns) == 0 {
				continue
			}
		}
		c.found(CheckFinding{Table: d.Table, Key: d.Key, What: d.What, Columns: d.Columns,
			OnMaster: d.Master, OnReplica: d.Replica, keyless: len(t.Key) == 0})
	}
	if result.More > 0 {
		c.report.More += result.More
		c.found(CheckFinding{Table: t.String(), What: fmt.Sprintf("differs in %d more rows", result.More)})
	}
	for _, row := range result.Unsettled {
		c.note("%s %s changes too fast to be compared", t, row)
	}
	if result.UnsettledMore > 0 {
		c.note("%s: %d more rows change too fast to be compared", t, result.UnsettledMore)
	}
	return nil
}

func without(list []string, out func(string) bool) (kept []string) {
	for _, s := range list {
		if !out(s) {
			kept = append(kept, s)
		}
	}
	return kept
}
