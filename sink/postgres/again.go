package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/sink"
)

// Copying a table while the replica is live
//
// A table whose rows are not in the log (see evolve.go), or that is to be repaired, is
// copied by workers with connections of their own, while the stream goes on. A table
// with a key is copied in chunks, as in copy.go; one without, or a small one, is one chunk. A
// worker reads a chunk into a temporary table first, which concerns nobody. What the
// stream has to know of happens when it is the worker's turn:
//
//	register  between two windows: a snapshot is taken that sees every block which the
//	          replica has passed. From here on no change of the table passes that it
//	          does not see: the first one waits, within its window (run.mode).
//	merge     when the stream has come to the snapshot (between two windows, behind a mark
//	          that was put into the log), or waits: the rows take their place by
//	          key, and the snapshot is noted, in one transaction.
//
// So the replica's tables are written by one at a time, no worker ever holds a lock
// that the applier has to wait for, and each knows what the other has committed.
//
// Why it is exact. As long as nothing of a table is there, its changes are passed over:
// every snapshot will see them. Then all rows that are there are those of the master at
// the replica's position:
//
//   - A chunk is merged at the moment of the stream at which it was read: what its snapshot
//     saw has been applied or passed over, what it did not see has not. Only the first chunk
//     may come before: what it has seen is skipped then, in all of the table, for what is
//     read later has seen that, too.
//   - A change finds the rows that are there; for those of ranges that are not copied yet there is
//     nothing to do. Rows that it brings whole are inserted wherever they belong, and the
//     chunk replaces them later. So no range is ever compared with a key on the replica, where
//     text may be ordered in another way.
//   - A key that moves from one range to another is a delete and an insert, each right by
//     itself. Where the change does not bring the row whole, and it is not there, it is copied
//     later, as a chunk of this one row (copyLater).
//
// Being a part of what the master has, they violate no unique constraint. A chunk that does
// is one of transactions that became visible in another order than they were logged
// in, as with synchronous replication; the lenient changes put that right (see copied.mode), and should
// the constraint get in the way, the table is copied as one chunk.
//
// A window that has touched a table can not wait for its chunk, for which its own locks would be
// in the way: then what stands before the block is committed first (halfway). And while a window
// waits, no chunk is registered, for the window may have passed over changes already.
//
// A chunk is read when the table has the same columns and key on the master as here. While the
// replica is behind, that may have to wait for the next changes of the schema. When it changes here
// meanwhile, what was read is thrown away; when the key changes, the copy begins again.

// job is the copying of a table again. The turn guards it.
type job struct {
	busy   bool      // a worker has it
	steps  int       // so many chunks were tried: tables take turns
	after  time.Time // not before
	settle uint64    // transactions below this xid may have written to it before it was published
	load   *load     // what is registered; nil: nothing
}

// load is a chunk that is registered and not merged.
type load struct {
	snapshot snapshot
	first    bool            // nothing of the table is there yet
	end      change.LSN      // behind the snapshot
	model    change.Checksum // in force when it was registered
	cancel   context.CancelCauseFunc
}

// errDropped ends a load that is not wanted any more.
var errDropped = errors.New("what was read does not count any more")

// takeTurn begins something that writes to the replica's tables. It is told of a failed worker.
func (t *Target) takeTurn() error {
	t.turn.Lock()
	if t.failed != nil {
		defer t.turn.Unlock()
		return t.failed
	}
	t.applying = true
	return nil
}

// giveTurn ends it.
func (t *Target) giveTurn() {
	t.applying = false
	t.turned.Broadcast()
	t.turn.Unlock()
}

// await gives the turn away until the condition holds. Whoever changes what others wait for
// calls turned.Broadcast.
func (t *Target) await(ctx context.Context, condition func() bool) error {
	stop := context.AfterFunc(ctx, t.wake)
	defer stop()
	for !condition() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		t.turned.Wait()
	}
	return nil
}

func (t *Target) wake() {
	t.turn.Lock()
	defer t.turn.Unlock()
	t.turned.Broadcast()
}

// between takes the turn when no window is open. Unlock gives it back.
func (t *Target) between(ctx context.Context) error {
	t.turn.Lock()
	err := t.await(ctx, func() bool { return !t.applying })
	if err != nil {
		t.turn.Unlock()
	}
	return err
}

// drop throws away what is being read of a table.
func (t *Target) drop(oid uint32) {
	if j := t.jobs[oid]; j != nil && j.load != nil {
		j.load.cancel(errDropped)
		j.load = nil
		t.turned.Broadcast()
	}
}

// mode tells how to apply a change of the transaction to a table. It waits for a chunk that the
// change must not overtake.
func (r *run) mode(oid uint32, seq int64, xid uint32) (mode, error) {
	t := r.t
	c := t.copies[oid]
	if c == nil {
		return strict, nil
	}
	if j := t.jobs[oid]; j != nil && j.load != nil && !j.load.snapshot.sees(xid) {
		if r.touched[oid] {
			return skip, &halfway{seq}
		}
		if err := r.flight.land(); err != nil {
			return skip, err
		}
		t.waiting = j.load
		t.turned.Broadcast()
		err := t.await(r.ctx, func() bool { return j.load != t.waiting || t.failed != nil })
		t.waiting = nil
		if err = cmp.Or(err, t.failed); err != nil {
			return skip, err
		}
		c = t.copies[oid]
	}
	m := c.mode(xid)
	if m != skip {
		r.touched[oid] = true
	}
	return m, nil
}

// halfway asks to commit what stands before a block first.
type halfway struct{ seq int64 }

func (e *halfway) Error() string { return fmt.Sprintf("block %d has to be applied by itself", e.seq) }

// Maintain copies tables again for which that was asked for (bridge repair, and what
// the log does not hold), and ends a copy that the stream has passed. See sink.Target.
func (t *Target) Maintain(ctx context.Context, models sink.Models) error {
	if err := t.takeTurn(); err != nil {
		return err
	}
	defer t.giveTurn()
	t.models = models
	if err := t.findDrift(ctx); err != nil {
		return err
	}
	var wanted, pending bool
	if err := t.conn.QueryRow(ctx, `
		select exists (select from bridge.copy_table where state = 'wanted'), exists (select from bridge.pending_index)`).Scan(&wanted, &pending); err != nil {
		return t.wrap("look for tables to copy again", err)
	}
	if pending {
		t.buildIndexes(ctx)
	}
	if wanted {
		if err := t.endBuilds(ctx); err != nil {
			return err
		}
		if _, err := t.conn.Exec(ctx, `
			update bridge.position set state = 'catching_up', consistent_lsn = $1::text::pg_lsn
			where consistent_lsn is distinct from $1::text::pg_lsn`, never.String()); err != nil {
			return t.wrap("note the copy", err)
		}
		if _, err := t.read(ctx); err != nil {
			return err
		}
	}
	t.copyAgain(ctx)
	t.mu.Lock()
	at := t.position.LSN
	t.mu.Unlock()
	if t.consistent != 0 && at >= t.consistent {
		return t.finishCopy(ctx)
	}
	return nil
}

// wantAgain notes that a table is copied again, because what was copied before is ahead
// of the block and stands in its way.
func (t *Target) wantAgain(ctx context.Context, c *contradiction) error {
	model, err := t.models.Model(ctx, t.modelSum)
	if err != nil {
		return err
	}
	now, err := (&run{t: t, ctx: ctx, model: model}).around(c.oid)
	if err != nil {
		return err
	}
	tbl := now.tables[c.oid]
	if tbl == nil {
		return c.err
	}
	t.o.Log.Debug("table is copied again, it is ahead", "replica", t.o.Name, "table", tbl.Name, "whole", c.whole, "reason", c.err)
	r := &run{t: t, ctx: ctx, model: model, wanted: map[uint32]bool{}}
	if _, err := t.conn.Exec(ctx, "begin"); err != nil {
		return t.wrap("begin", err)
	}
	err = r.want(tbl, false)
	if err == nil && c.whole {
		err = t.planWhole(ctx, t.conn, c.oid)
	}
	if err != nil {
		t.conn.Exec(ctx, "rollback") // else the connection ends, and the transaction with it
		return err
	}
	if _, err := t.conn.Exec(ctx, "commit"); err != nil {
		return t.wrap("note the copy", err)
	}
	_, err = t.read(ctx)
	return err
}

// planWhole notes that a table is copied as one chunk.
func (t *Target) planWhole(ctx context.Context, conn *pgx.Conn, oid uint32) error {
	batch := &pgx.Batch{}
	batch.Queue(`delete from bridge.copy_chunk where relid = $1`, oid)
	batch.Queue(`insert into bridge.copy_chunk (relid, chunk) values ($1, 0)`, oid)
	batch.Queue(`update bridge.copy_table set state = 'copying', planned = true where relid = $1`, oid)
	return t.wrap("plan the copy", conn.SendBatch(ctx, batch).Close())
}

// background is the workers that copy again.
type background struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

// copyAgain starts the workers when there is something to copy; they are there until Close.
func (t *Target) copyAgain(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.background != nil || t.consistent != never {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &background{cancel, make(chan struct{})}
	t.background = b
	group, ctx := errgroup.WithContext(ctx)
	for range t.o.Workers {
		group.Go(func() error { return t.copyTables(ctx) })
	}
	go func() {
		defer close(b.ended)
		err := group.Wait() // ends ctx
		t.turn.Lock()
		defer t.turn.Unlock()
		t.failed = err
		t.turned.Broadcast()
	}()
}

// stop ends what runs beside the stream, if it does, and waits for it.
func (t *Target) stop(running **background) {
	t.mu.Lock()
	b := *running
	*running = nil
	t.mu.Unlock()
	if b != nil {
		b.end()
	}
}

// end ends it, and waits for that.
func (b *background) end() {
	b.cancel()
	<-b.ended
}

// worker is one that copies, with its connections.
type worker struct {
	from, to *pgx.Conn // master and replica
	read     pgx.Tx    // on the master
}

func (w *worker) connect(ctx context.Context, t *Target) (err error) {
	if w.from == nil || w.from.IsClosed() {
		if w.from, err = pgx.ConnectConfig(ctx, t.masterConfig()); err != nil {
			w.from = nil
			return fmt.Errorf("connect to the master to copy from: %w", err)
		}
	}
	if w.to == nil || w.to.IsClosed() {
		if w.to, err = t.connect(ctx); err != nil {
			w.to = nil
			return err
		}
	}
	return nil
}

// lock begins a transaction on the master that holds a table and has no snapshot yet, as in copyChunk.
func (w *worker) lock(ctx context.Context, table string) (err error) {
	if w.read, err = w.from.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}); err != nil {
		return fmt.Errorf("master: %w", err)
	}
	if _, err = w.read.Exec(ctx, "lock table only "+table+" in access share mode"); err == nil {
		return nil
	}
	w.read.Rollback(context.WithoutCancel(ctx)) // it only read
	if undefined(err) {
		return &notYet{"master: " + err.Error()}
	}
	return fmt.Errorf("master: %w", err)
}

func (w *worker) close() {
	for _, conn := range []**pgx.Conn{&w.from, &w.to} {
		if *conn != nil {
			(*conn).Close(context.Background())
			*conn = nil
		}
	}
}

// copyTables copies chunk after chunk, of one table after the other, until ctx ends.
func (t *Target) copyTables(ctx context.Context) error {
	w := &worker{}
	defer w.close()
	for {
		oid, j, err := t.nextTable(ctx, w)
		if err != nil {
			return err
		}
		if err = w.connect(ctx, t); err == nil {
			err = t.copyNext(ctx, w, oid, j)
		}
		var not *notYet
		pause := time.Duration(0)
		switch {
		case errors.As(err, &not) || locked(err):
			t.o.Log.Debug("table can not be copied yet", "replica", t.o.Name, "reason", err)
			pause = retryCopy
		case err != nil:
			return err
		}
		t.turn.Lock()
		j.busy, j.steps, j.after = false, j.steps+1, time.Now().Add(pause)
		t.turned.Broadcast()
		t.turn.Unlock()
	}
}

// retryCopy is when something is tried again that has to wait for others.
const retryCopy = 200 * time.Millisecond

// notYet says that a chunk can not be copied now.
type notYet struct{ reason string }

func (e *notYet) Error() string { return e.reason }

// nextTable waits for a table to be copied. When there are none any more, it notes where
// the replica is consistent.
func (t *Target) nextTable(ctx context.Context, w *worker) (oid uint32, j *job, err error) {
	if err := t.between(ctx); err != nil {
		return 0, nil, err
	}
	defer t.turn.Unlock()
	for {
		var later time.Time
		missing := false
		now := time.Now()
		j = nil
		for id, c := range t.copies {
			if !c.missing {
				continue
			}
			missing = true
			next := t.jobs[id]
			if next == nil {
				next = &job{}
				t.jobs[id] = next
			}
			switch {
			case next.busy:
			case next.after.After(now):
				if later.IsZero() || next.after.Before(later) {
					later = next.after
				}
			case j == nil || next.steps < j.steps:
				oid, j = id, next
			}
		}
		switch {
		case j != nil:
			j.busy = true
			return oid, j, nil
		case !missing && t.consistent == never && !t.applying:
			if err := t.complete(ctx, w); err != nil {
				return 0, nil, err
			}
		}
		if !missing {
			w.close()
			maps.DeleteFunc(t.jobs, func(_ uint32, j *job) bool { return !j.busy })
		}
		var timer *time.Timer
		if !later.IsZero() {
			timer = time.AfterFunc(time.Until(later), t.wake)
		}
		stop := context.AfterFunc(ctx, t.wake)
		if ctx.Err() == nil {
			t.turned.Wait()
		}
		stop()
		if timer != nil {
			timer.Stop()
		}
		if ctx.Err() != nil {
			return 0, nil, context.Cause(ctx)
		}
	}
}

// complete notes where the replica is consistent, now that all rows are there.
func (t *Target) complete(ctx context.Context, w *worker) error {
	if err := w.connect(ctx, t); err != nil {
		return err
	}
	consistent, err := markEnd(ctx, w.from)
	if err != nil {
		return err
	}
	if _, err := w.to.Exec(ctx, `update bridge.position set state = 'catching_up', consistent_lsn = $1::text::pg_lsn`, consistent.String()); err != nil {
		return t.wrap("note the copy", err)
	}
	t.consistent = consistent
	t.o.Log.Info("tables are copied, now the blocks since", "replica", t.o.Name, "consistent_from", consistent)
	return nil
}

// empty takes all rows from a table, within the open transaction.
func (t *Target) empty(ctx context.Context, conn *pgx.Conn, name string) error {
	var referenced bool
	if err := conn.QueryRow(ctx, `
		select exists (select from pg_catalog.pg_constraint where contype = 'f' and confrelid = pg_catalog.to_regclass($1))`, name).Scan(&referenced); err != nil {
		return t.wrap("look up table "+name, err)
	}
	sql := "truncate only " + name
	if referenced {
		sql = "delete from only " + name
	}
	_, err := conn.Exec(ctx, sql)
	return t.wrap("empty table "+name, err)
}

// doesNotFit says whether rows were refused for what they are.
func doesNotFit(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code[:2] == "22" || pg.Code[:2] == "23" || pg.Code[:2] == "42")
}

// collides says whether rows were refused for another one that is there.
func collides(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "23505" || pg.Code == "23P01")
}

// locked says whether somebody else holds a lock for too long.
func locked(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55P03"
}

// undefined says whether a table, a column, a type or a schema is not there.
func undefined(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "42703" || pg.Code == "42704" || pg.Code == "3F000")
}
