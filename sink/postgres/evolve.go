package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/schema"
	"github.com/pgbridge/pgbridge/sink"
)

// Evolving
//
// The master's schema travels in the log as models, each in force from where the master's
// own transaction changed it. When one comes into force the replica is brought from
// the model before to it by a plan, within the transaction that applies the block: the
// two models are compared with each other, never with what the replica has, so what
// the replica has of its own is not touched, and a text that PostgreSQL writes
// differently after it was loaded again is no difference.
//
// What a rewrite of a table made of its rows is not in the log. Such a table is emptied
// where it happened, so that whatever follows holds, and its changes are passed over
// until its rows can be copied: as soon as the table is on the master what it is here.

// never is a position that no log reaches: what becomes consistent there does not yet.
const never = change.LSN(1<<64 - 1)

// ahead asks for statements that have to be committed before the window is applied,
// and harm nobody: new values of an enum can not be used by the transaction that adds them.
type ahead struct {
	model      change.Checksum
	statements []schema.Statement
}

func (e *ahead) Error() string {
	return fmt.Sprintf("%s has to be changed before the block is applied: begin again", e.statements[0].Object)
}

// reduced is a model without what a new replica gets last.
func reduced(m *schema.Model) *schema.Model {
	less := *m
	less.Objects = slices.DeleteFunc(slices.Clone(m.Objects), func(o *schema.Object) bool { return o.Phase == schema.PostData })
	return &less
}

// goAhead commits what has to be there before a window.
func (t *Target) goAhead(ctx context.Context, e *ahead) error {
	t.done[e.model] = true
	for _, s := range e.statements {
		_, err := t.conn.Exec(ctx, s.SQL, pgx.QueryExecModeSimpleProtocol)
		if undefined(err) {
			t.done[e.model] = false // the type is made within the window: then it can be changed there, too
			return nil
		}
		if err != nil {
			return t.wrap("evolve "+s.Object.String(), err)
		}
	}
	return nil
}

// evolve brings the replica to the model.
func (r *run) evolve(b *commitlog.Block, to *change.Model) error {
	from := r.model
	r.model = to
	if len(r.evolved) == 0 {
		r.began = from
	}
	r.evolved = append(r.evolved, evolved{to, b.Seq})
	if from.SameSchema(to) {
		return nil
	}
	r.t.dropEarly() // which has locks
	r.wake()
	if err := r.flight.land(); err != nil {
		return err
	}
	t := r.t
	ahead, err := r.isAhead(to, b.XID)
	if err != nil || ahead {
		return err
	}
	refuse := func(object, reason string) error {
		return &unfit{&sink.Mismatch{Replica: t.o.Name, Seq: b.Seq, Reason: "the schema can not follow the master's: " + object + ": " + reason,
			Remedy: fmt.Sprintf("see bridge schema diff --sql, and change by hand what is in the way on replica %s", t.o.Name)}}
	}
	if err := t.findDefaults(r.ctx); err != nil {
		return err
	}
	pending, err := t.pendingIndexes(r.ctx)
	if err != nil {
		return err
	}
	before, now, err := r.pair(from, to, pending)
	if err == nil {
		err = now.Contradiction()
	}
	if err != nil {
		return refuse("model", err.Error())
	}
	plan, indexes, err := t.planEvolve(before.Model, now.Model, pending)
	if err != nil {
		return refuse("plan", err.Error())
	}
	if err := r.settle(plan, indexes, pending); err != nil {
		return err
	}
	if err := r.execute(b.Seq, plan, indexes, from, to, refuse); err != nil {
		return err
	}
	// What was prepared and looked up is of another schema now.
	clear(t.tables)
	if err := t.forgetAll(r.ctx); err != nil {
		return err
	}
	return r.follow(before, now)
}

// planEvolve returns the statements that lead from one model to the other, and those of its indexes that can be built
// beside the stream. Those that are pending are not there: the plan makes what has become of them.
func (t *Target) planEvolve(old, new *schema.Model, pending []PendingIndex) (schema.Steps, map[*schema.Object]*later, error) {
	if t.reduced {
		old, new = reduced(old), reduced(new)
	}
	plan, err := schema.Plan(WithoutPending(old, pending), new)
	if err != nil {
		return plan, nil, err
	}
	return plan, laterOf(plan, new), nil
}

// execute carries out a plan.
func (r *run) execute(seq int64, plan schema.Steps, indexes map[*schema.Object]*later, from, to *change.Model, refuse func(object, reason string) error) error {
	t := r.t
	statements := plan.Then
	switch done, tried := t.done[to.Checksum()]; {
	case len(plan.First) == 0 || done:
	case !tried && len(r.evolved) > 1 && r.evolved[0].seq < seq:
		return &halfway{seq} // a type can have got its name in the window, from another one
	case !tried && r.areTheSame(plan.First, from):
		return &ahead{to.Checksum(), plan.First}
	default:
		statements = slices.Concat(plan.First, plan.Then)
	}
	var names []string
	for _, s := range statements {
		names = append(names, s.Roles...)
	}
	known, err := t.findRoles(r.ctx, names)
	if err != nil {
		return err
	}
	for _, s := range statements {
		sql := s.SQL
		if l := indexes[s.Object]; l != nil {
			if waits, err := r.waits(l); err != nil {
				return err
			} else if waits {
				continue
			}
		}
		if s.Object.Kind == schema.KindRefresh && r.incomplete() {
			if err := r.refreshLater(s.Object); err != nil {
				return err
			}
			continue
		}
		t.o.Log.Debug("evolve", "replica", t.o.Name, "block", seq, "statement", sql)
		if r.incomplete() && s.Object.Kind == schema.KindForeignKey && strings.HasPrefix(sql, "alter table only") &&
			strings.Contains(sql, " add constraint ") && !strings.HasSuffix(sql, "not valid") {
			sql += " not valid" // rows are missing yet; see validate
		}
		var err error
		if isPrivileges(s.Object) {
			err = t.setPrivileges(r.ctx, s.Object.String(), s.Object.Schema, sql, s.Roles, known)
		} else {
			_, err = t.conn.Exec(r.ctx, sql, pgx.QueryExecModeSimpleProtocol)
		}
		if err != nil {
			if passing(err) || lost(err) {
				return t.wrap("evolve "+s.Object.String()+" at block "+fmt.Sprint(seq), err)
			}
			if again := r.postpone(err); again != nil {
				return again
			}
			return refuse(s.Object.String(), detailed(err)+": "+s.SQL)
		}
	}
	return nil
}

// areTheSame says whether what the statements change was in the schema that the window begins with what it is in the model.
func (r *run) areTheSame(statements []schema.Statement, from *change.Model) bool {
	return len(r.evolved) == 1 || !slices.ContainsFunc(statements, func(s schema.Statement) bool {
		address := change.Address{Class: s.Object.Class, OID: s.Object.OID}
		was, is := r.began.Entry(address), from.Entry(address)
		return was == nil || is == nil || was.Text != is.Text
	})
}

// detailed is an error with what the server says of its objects: a view that stands in the way is
// named there.
func detailed(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Detail != "" {
		return err.Error() + ": " + strings.ReplaceAll(pg.Detail, "\n", ", ")
	}
	return err.Error()
}

// Looking ahead
//
// What event triggers write is as exact as locks allow: of objects that two transactions
// touch at the same time, and where there are no event triggers of all, the log can hold
// for a moment what was no state of the master, or get to know of a change behind the first
// rows of it. It holds the right state a little later. So when a model can not be
// evolved to, or does not fit the rows, the replica evolves to the next one that it can, and
// passes over those on the way there. It does so behind the last block that fits.
//
// The rows are still those of the block, so what the later model says of them need not hold yet. A table
// that has other columns there, or whose rows are in the way of the plan, is emptied before it, and copied again.

// unfit is a model, or what it makes of a table, that does not fit.
type unfit struct{ err error }

func (e *unfit) Error() string { return e.err.Error() }
func (e *unfit) Unwrap() error { return e.err }

// lookAhead evolves the replica to a later model of the log; false: there is none to which it can.
func (t *Target) lookAhead(ctx context.Context, w *sink.Window, reason error) (bool, error) {
	t.mu.Lock()
	at := t.position
	t.mu.Unlock()
	master, err := pgx.ConnectConfig(ctx, t.masterConfig())
	if err != nil {
		return false, fmt.Errorf("connect to the master to look ahead: %w", err)
	}
	defer master.Close(context.WithoutCancel(ctx))
	from := t.modelSum
	if !t.ahead.IsZero() {
		from = t.ahead
	}
	have, err := t.models.Model(ctx, from)
	if err != nil {
		return false, err
	}
	// Never back: behind the model that it is at already.
	rows, err := master.Query(ctx, `
		select m.checksum
		from bridge.model m
		where m.seq > greatest($1, (select h.seq from bridge.model h where h.checksum = $2))
		order by m.seq, m.checksum`, at.Seq, t.ahead[:])
	if err != nil {
		return false, fmt.Errorf("look ahead in the log: %w", err)
	}
	sums, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return false, fmt.Errorf("look ahead in the log: %w", err)
	}
	for _, b := range sums {
		sum, err := change.ParseChecksum(b)
		if err != nil {
			return false, err
		}
		to, err := t.models.Model(ctx, sum)
		if err != nil {
			return false, err
		}
		if to.SameSchema(have) {
			continue
		}
		err = t.goTo(ctx, w.Blocks[0].Seq, have, to)
		var wrong *unfit
		var first *ahead
		if errors.As(err, &first) {
			if err := t.goAhead(ctx, first); err != nil {
				return false, err
			}
			err = t.goTo(ctx, w.Blocks[0].Seq, have, to)
		}
		switch {
		case errors.As(err, &wrong):
			t.o.Log.Debug("schema can not go ahead to a model", "replica", t.o.Name, "model", sum, "reason", err)
			continue
		case err != nil:
			return false, err
		}
		t.o.Log.Info("schema goes ahead of the blocks", "replica", t.o.Name, "model", sum, "behind_block", at.Seq, "reason", reason)
		return true, nil
	}
	return false, nil
}

// goTo evolves the replica in a transaction of its own. Tables whose rows are in the way are emptied.
func (t *Target) goTo(ctx context.Context, seq int64, from, to *change.Model) error {
	t.dropEarly() // which has locks
	emptied := map[uint32]bool{}
	for {
		err := t.tryToGo(ctx, seq, from, to, emptied)
		var rows *contradiction
		if !errors.As(err, &rows) {
			return err
		}
		if emptied[rows.oid] {
			return &unfit{err}
		}
		emptied[rows.oid] = true
	}
}

// tryToGo does it if no rows are in the way but those of the given tables, and of those that have other columns.
func (t *Target) tryToGo(ctx context.Context, seq int64, from, to *change.Model, emptied map[uint32]bool) error {
	if err := t.findDefaults(ctx); err != nil {
		return err
	}
	before, err := t.rendered(from)
	if err != nil {
		return err
	}
	now, err := t.rendered(to)
	if err != nil {
		return &unfit{err}
	}
	if err := now.Contradiction(); err != nil {
		return &unfit{err}
	}
	pending, err := t.pendingIndexes(ctx)
	if err != nil {
		return err
	}
	plan, indexes, err := t.planEvolve(before.Model, now.Model, pending)
	if err != nil {
		return &unfit{err}
	}
	r := &run{t: t, ctx: ctx, flight: t.takeOff(ctx), model: from, wanted: map[uint32]bool{}, between: []*rendered{now, before}}
	if _, err := t.conn.Exec(ctx, "begin"); err != nil {
		return t.wrap("begin", err)
	}
	for _, tbl := range now.Tables() {
		if was := before.tables[tbl.OID]; r.isOther(was, tbl, 0) || was != nil && emptied[tbl.OID] {
			if err := r.want(was, false); err != nil {
				return r.abandon(err)
			}
		}
	}
	r.model, r.evolved = to, []evolved{{model: to}}
	refuse := func(object, reason string) error { return &unfit{fmt.Errorf("%s: %s", object, reason)} }
	if err := r.settle(plan, indexes, pending); err != nil {
		return r.abandon(err)
	}
	if err := r.execute(seq, plan, indexes, from, to, refuse); err != nil {
		return r.abandon(err)
	}
	if err := r.follow(before, now); err != nil {
		return r.abandon(err)
	}
	sum := to.Checksum()
	if _, err := t.conn.Exec(ctx, `update bridge.position set ahead = $1`, sum[:]); err != nil {
		return r.abandon(t.wrap("note how far the schema is", err))
	}
	if _, err := t.conn.Exec(ctx, "commit"); err != nil {
		return t.wrap("commit the schema", err)
	}
	clear(t.tables)
	if err := t.forgetAll(ctx); err != nil {
		return err
	}
	_, err = t.read(ctx)
	return err
}

// pair is the part of two models that a plan between them needs, or both as a whole, if there are tables to be
// copied: these have to be found in it.
func (r *run) pair(from, to *change.Model, pending []PendingIndex) (before, now *rendered, err error) {
	if !r.incomplete() {
		return r.t.pair(from, to, pending)
	}
	if before, err = r.t.rendered(from); err == nil {
		now, err = r.t.rendered(to)
	}
	return before, now, err
}

// around is what the replica's schema says of a relation, by its OID on the master: that of the model in force, or one ahead of it.
func (r *run) around(oid uint32) (*rendered, error) {
	model := r.model
	if !r.t.ahead.IsZero() && !r.caughtUp {
		var err error
		if model, err = r.t.models.Model(r.ctx, r.t.ahead); err != nil {
			return nil, err
		}
	}
	return r.t.around(model, oid)
}

// isGone says whether the table is not there any more where the schema is ahead.
func (r *run) isGone(oid uint32) (bool, error) {
	if r.t.ahead.IsZero() || r.caughtUp {
		return false, nil
	}
	now, err := r.around(oid)
	return err == nil && now.tables[oid] == nil, err
}

// isAhead says whether the replica's schema is past the model already. At the model that it
// is at, the stream has caught up with it.
func (r *run) isAhead(to *change.Model, xid uint32) (bool, error) {
	t := r.t
	if t.ahead.IsZero() || r.caughtUp {
		return false, nil
	}
	at, err := t.models.Model(r.ctx, t.ahead)
	if err != nil {
		return false, err
	}
	if at.SameSchema(to) {
		r.caughtUp = true
		if _, err := t.conn.Exec(r.ctx, `update bridge.position set ahead = null`); err != nil {
			return false, t.wrap("note how far the schema is", err)
		}
		return true, nil
	}
	passed, err := t.rendered(to)
	if err != nil {
		return true, nil // as little a state of the master as what made the replica look ahead
	}
	now, err := t.rendered(at)
	if err != nil {
		return false, err
	}
	return true, r.wantOthers(passed, now, xid)
}

// wantOthers has the tables copied that have other columns where the schema is ahead than the stream's
// model gives them: its rows do not fit them. Those whose copy has seen the transaction are passed over
// anyway.
func (r *run) wantOthers(stream, now *rendered, xid uint32) error {
	for _, tbl := range now.Tables() {
		if r.isOther(stream.tables[tbl.OID], tbl, xid) {
			if err := r.want(tbl, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// isOther says whether a table has to be copied because it has other columns than it had.
func (r *run) isOther(was, tbl *schema.Table, xid uint32) bool {
	copied := r.t.copies[tbl.OID]
	switch {
	case tbl.Partitioned, tbl.Unlogged, was == nil, sameColumns(was, tbl), r.wanted[tbl.OID]:
		return false
	case copied != nil && (copied.oldest == nil || xid != 0 && copied.mode(xid) == skip):
		return false
	}
	return true
}

// sameColumns says whether a row of one table is one of the other.
func sameColumns(a, b *schema.Table) bool {
	return slices.EqualFunc(a.Columns, b.Columns, func(c, d schema.Column) bool {
		return c.Num == d.Num && c.Name == d.Name && c.Type == d.Type
	})
}

// incomplete says whether there are tables whose rows are not those of the block.
func (r *run) incomplete() bool { return len(r.t.copies) > 0 || len(r.wanted) > 0 }

// contradiction is a table that was copied from a later state of the master, which a
// constraint of the way there does not fit; or one whose rows are in the way of a schema that goes ahead; or one of a schema that is ahead, which rows of the way
// there do not fit; or one that was copied from several, which do not fit each other: then it has
// to be copied as a whole.
type contradiction struct {
	oid   uint32
	whole bool
	err   error
}

func (e *contradiction) Error() string { return e.err.Error() }

// postpone finds the table whose rows are ahead of the block and do not fit what it
// makes of the schema.
func (r *run) postpone(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.TableName == "" || pg.Code[:2] != "23" && pg.Code[:2] != "22" {
		return nil
	}
	for _, known := range r.between {
		for oid, tbl := range known.tables {
			if tbl.Schema == pg.SchemaName && tbl.Name == pg.TableName && !r.wanted[oid] {
				return &contradiction{oid, false, err}
			}
		}
	}
	// The plan may have renamed it by now.
	for _, known := range r.t.schemas.views {
		if known.whole == nil {
			continue
		}
		for oid, tbl := range known.whole.tables {
			if c := r.t.copies[oid]; c != nil && c.oldest != nil && tbl.Schema == pg.SchemaName && tbl.Name == pg.TableName {
				return &contradiction{oid, false, err}
			}
		}
	}
	return nil
}

// follow keeps the list of tables that are to be copied in step with the schema.
func (r *run) follow(before, now *rendered) error {
	oids := slices.Collect(func(yield func(uint32) bool) {
		for oid := range r.t.copies {
			if !yield(oid) {
				return
			}
		}
		for oid := range r.wanted {
			if !yield(oid) {
				return
			}
		}
	})
	for _, oid := range oids {
		var err error
		if tbl := now.tables[oid]; tbl != nil {
			// What is copied in chunks is told apart by the key.
			if c, was := r.t.copies[oid], before.tables[oid]; c != nil && (c.missing || c.mixed()) && was != nil && !slices.Equal(keyOf(was), keyOf(tbl)) {
				if err := r.want(tbl, false); err != nil {
					return err
				}
			}
			_, err = r.t.conn.Exec(r.ctx, `update bridge.copy_table set schema_name = $2, table_name = $3 where relid = $1 and (schema_name, table_name) <> ($2, $3)`,
				oid, tbl.Schema, tbl.Name)
		} else {
			if _, err = r.t.conn.Exec(r.ctx, `delete from bridge.copy_table where relid = $1`, oid); err == nil {
				_, err = r.t.conn.Exec(r.ctx, `delete from bridge.copy_chunk where relid = $1`, oid) // no key cascades here
			}
		}
		if err != nil {
			return r.t.wrap("note the copied tables", err)
		}
	}
	return nil
}

// rows takes that rows of a table changed in a way that the log does not hold.
func (r *run) rows(b *commitlog.Block, c *change.Change) error {
	if err := r.flush(); err != nil {
		return err
	}
	if err := r.flight.land(); err != nil {
		return err
	}
	if copied := r.t.copies[c.Relation]; copied != nil && !copied.missing && copied.mode(b.XID) == skip {
		return nil // the copy has seen it
	}
	now, err := r.around(c.Relation)
	if err != nil {
		return err
	}
	if c.Why == change.Refreshed {
		return r.refresh(b, now, c.Relation)
	}
	tbl := now.tables[c.Relation]
	if tbl == nil || tbl.Partitioned {
		return nil
	}
	return r.want(tbl, c.Why == change.Published)
}

// want empties a table and notes that it is to be copied.
func (r *run) want(tbl *schema.Table, settle bool) error {
	name := schema.Quote(tbl.Schema, tbl.Name)
	r.t.dropEarly() // which has locks
	r.t.drop(tbl.OID)
	if err := r.t.endBuilds(r.ctx); err != nil { // none goes on while tables are copied
		return err
	}
	now, err := r.around(tbl.OID)
	if err != nil {
		return err
	}
	wake, err := r.t.silence(r.ctx, r.t.conn, name, now)
	if err != nil {
		return err
	}
	if err := r.t.empty(r.ctx, r.t.conn, name); err != nil {
		return err
	}
	if err := wake(); err != nil {
		return err
	}
	if err := r.t.distrust(r.ctx, r.t.conn, name); err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(`
		insert into bridge.copy_table as t (schema_name, table_name, relid, state, estimated_rows, estimated_bytes, settle)
		values ($1, $2, $3, 'wanted', 0, 0, $4)
		on conflict (relid) do update set state = 'wanted', planned = false, settle = t.settle or excluded.settle`, tbl.Schema, tbl.Name, tbl.OID, settle)
	batch.Queue(`delete from bridge.copy_chunk where relid = $1`, tbl.OID)
	batch.Queue(`update bridge.position set state = 'catching_up', consistent_lsn = $1::text::pg_lsn`, never.String())
	if err := r.t.conn.SendBatch(r.ctx, batch).Close(); err != nil {
		return r.t.wrap("note that table "+name+" is copied again", err)
	}
	r.wanted[tbl.OID] = true
	return nil
}

// refresh refreshes a materialized view where the master did.
func (r *run) refresh(b *commitlog.Block, now *rendered, oid uint32) error {
	i := slices.IndexFunc(now.Objects, func(o *schema.Object) bool { return o.Kind == schema.KindMaterializedView && o.OID == oid })
	if i < 0 || r.t.reduced {
		return nil
	}
	view := now.Objects[i]
	sql := "refresh materialized view " + schema.Quote(view.Schema, view.Name)
	switch {
	case !populated(now.Model, view):
		sql += " with no data"
	case r.incomplete():
		return r.refreshLater(view)
	}
	if _, err := r.t.conn.Exec(r.ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		if passing(err) || lost(err) {
			return r.t.wrap("refresh "+view.String(), err)
		}
		return &sink.Mismatch{Replica: r.t.o.Name, Seq: b.Seq, Reason: view.String() + " can not be refreshed: " + err.Error(),
			Remedy: "make what it reads as it is on the master"}
	}
	return nil
}

// populated says whether a materialized view has rows, or could have.
func populated(m *schema.Model, view *schema.Object) bool {
	return slices.ContainsFunc(m.Objects, func(o *schema.Object) bool {
		return o.Kind == schema.KindRefresh && o.Schema == view.Schema && o.Name == view.Name
	})
}

// refreshLater notes that a materialized view is refreshed when the rows are there that
// it reads; where these are copied, it is as they are by then.
func (r *run) refreshLater(view *schema.Object) error {
	_, err := r.t.conn.Exec(r.ctx, `
		insert into bridge.copy_step (phase, ordinal, object, statement)
		select 'refresh', coalesce(max(ordinal), 0) + 1, $1, '' from bridge.copy_step where phase = 'refresh'`, view.String())
	return r.t.wrap("note "+view.String(), err)
}

// refreshNoted refreshes, of the materialized views that waited for rows and of those that read
// them, all that there are.
func (t *Target) refreshNoted(ctx context.Context, m *schema.Model) error {
	var noted bool
	if err := t.conn.QueryRow(ctx, `select exists (select from bridge.copy_step where phase = 'refresh')`).Scan(&noted); err != nil || !noted {
		return t.wrap("look for materialized views to refresh", err)
	}
	for _, o := range m.Objects {
		if o.Kind != schema.KindRefresh {
			continue
		}
		for _, sql := range o.Create {
			if _, err := t.conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
				return t.wrap(sql, err)
			}
		}
	}
	return nil
}

// distrust makes the foreign keys that refer to an emptied table ones that are not
// valid: to change the type of a column checks the valid ones again. See validate.
func (t *Target) distrust(ctx context.Context, conn *pgx.Conn, table string) error {
	rows, err := conn.Query(ctx, `
		select k.conrelid::pg_catalog.regclass::text, pg_catalog.quote_ident(k.conname), pg_catalog.pg_get_constraintdef(k.oid),
			coalesce(pg_catalog.quote_literal(pg_catalog.obj_description(k.oid, 'pg_constraint')), '')
		from pg_catalog.pg_constraint k
		join pg_catalog.pg_class c on c.oid = k.conrelid and c.relkind = 'r'
		where k.contype = 'f' and k.confrelid = pg_catalog.to_regclass($1) and k.convalidated and k.conparentid = 0`, table)
	if err != nil {
		return t.wrap("look up the foreign keys to "+table, err)
	}
	type key struct{ Table, Name, Definition, Comment string }
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[key])
	if err != nil {
		return t.wrap("look up the foreign keys to "+table, err)
	}
	for _, k := range keys {
		begin := "alter table only " + k.Table
		sql := begin + " drop constraint " + k.Name + "; " + begin + " add constraint " + k.Name + " " + k.Definition + " not valid"
		if k.Comment != "" {
			sql += "; comment on constraint " + k.Name + " on " + k.Table + " is " + k.Comment
		}
		if _, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return t.wrap("suspend constraint "+k.Name+" of "+k.Table, err)
		}
		// The model tells of the master's; that one of the replica's own was valid has to be noted.
		if _, err := conn.Exec(ctx, `
			insert into bridge.copy_step (phase, ordinal, object, statement)
			select 'validate', (select coalesce(max(s.ordinal), 0) + 1 from bridge.copy_step s where s.phase = 'validate'), k.oid::text, ''
			from pg_catalog.pg_constraint k
			where k.conrelid = $1::pg_catalog.regclass and pg_catalog.quote_ident(k.conname) = $2`, k.Table, k.Name); err != nil {
			return t.wrap("suspend constraint "+k.Name+" of "+k.Table, err)
		}
	}
	return nil
}

// validate checks the foreign keys that were made before the rows were complete.
func (t *Target) validate(ctx context.Context, m *schema.Model) error {
	rows, err := t.conn.Query(ctx, `
		select n.nspname, c.relname, k.conname, exists (select from bridge.copy_step s where s.phase = 'validate' and s.object = k.oid::text)
		from pg_catalog.pg_constraint k
		join pg_catalog.pg_class c on c.oid = k.conrelid
		join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		where k.contype = 'f' and not k.convalidated and k.conparentid = 0`)
	if err != nil {
		return t.wrap("look for constraints to validate", err)
	}
	type constraint struct {
		Schema, Table, Name string
		Noted               bool
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[constraint])
	if err != nil {
		return t.wrap("look for constraints to validate", err)
	}
	for _, k := range list {
		i := slices.IndexFunc(m.Objects, func(o *schema.Object) bool {
			return o.Kind == schema.KindForeignKey && o.Schema == k.Schema && o.Table == k.Table && o.Name == k.Name
		})
		own := i < 0
		if own && !k.Noted || !own && strings.HasSuffix(strings.ToLower(m.Objects[i].Definition), "not valid") {
			continue // it was not valid
		}
		_, err := t.conn.Exec(ctx, "alter table "+schema.Quote(k.Schema, k.Table)+" validate constraint "+schema.Quote(k.Name))
		var pg *pgconn.PgError
		if own && errors.As(err, &pg) && pg.Code[:2] == "23" {
			t.o.Log.Warn("a foreign key of the replica's own is not valid any more", "replica", t.o.Name, "table", schema.Quote(k.Schema, k.Table), "constraint", k.Name, "reason", err)
			continue
		}
		if err != nil {
			return t.wrap("validate constraint "+k.Name+" of "+schema.Quote(k.Schema, k.Table), err)
		}
	}
	return nil
}
