package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgbridge/pgbridge/schema"
	"github.com/pgbridge/pgbridge/sink"
)

// Indexes that are built beside the stream
//
// To build an index of a large table takes minutes, which the window would take as well. No row needs an
// index that is not unique, so that of a large table is noted in the transaction that evolves, in bridge.pending_index, and
// built by a worker with CREATE INDEX CONCURRENTLY, which lets rows be written. Until it is there, the replica's
// schema is that of its model without it: a plan begins there, and makes what the index has become by
// then, or notes it again. So nothing has to be known of what happens to a pending index or to its table.
//
// The build waits for transactions that are open, the applier's among them, and its lock is in the way of whatever else changes the
// table's schema or empties it. It gives way:
//
//   - A plan that changes a pending index or its table, a truncate of the table, and a copy of any table end the build first.
//   - What needs the table in another way, as a foreign key to it does, waits in vain and fails as Blocked. That closes the target, and
//     with it the build, which begins again only when a window has been applied.
//
// The applier's lock_timeout is shorter than deadlock_timeout, so neither of the two ever fails for a deadlock with the other.
// What a build leaves behind when it is ended is an index that is not valid: it is dropped before the next attempt, or by
// the plan for which it has to go.

// BuildLock is the advisory lock of the connection that builds indexes.
const BuildLock = 0x70676269 // "pgbi"

// PendingIndex is an index that is to be built beside the stream.
type PendingIndex struct {
	OID                 uint32 // on the master
	Schema, Table, Name string // as they are on the replica
	Statements          []string
	Error               string // why the last attempt failed
}

// String names the index as messages do.
func (p PendingIndex) String() string {
	return "index " + schema.Quote(p.Name) + " of " + p.table()
}

func (p PendingIndex) table() string { return schema.Quote(p.Schema, p.Table) }

func (p PendingIndex) is(q PendingIndex) bool {
	return p.OID == q.OID && p.Schema == q.Schema && p.Table == q.Table && p.Name == q.Name && slices.Equal(p.Statements, q.Statements)
}

// PendingIndexes returns the pending indexes of the replica that conn is connected to, those that
// have failed least often first.
func PendingIndexes(ctx context.Context, conn *pgx.Conn) ([]PendingIndex, error) {
	var there bool // else no newer bridge has applied to it
	if err := conn.QueryRow(ctx, `select pg_catalog.to_regclass('bridge.pending_index') is not null`).Scan(&there); err != nil || !there {
		return nil, err
	}
	return readPending(ctx, conn)
}

// readPending is PendingIndexes where the table is known to be there.
func readPending(ctx context.Context, conn *pgx.Conn) ([]PendingIndex, error) {
	rows, err := conn.Query(ctx, `
		select relid, schema_name, table_name, index_name, statements, error
		from bridge.pending_index
		order by failures, schema_name, index_name`)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[PendingIndex])
}

func (t *Target) pendingIndexes(ctx context.Context) ([]PendingIndex, error) {
	list, err := readPending(ctx, t.conn)
	return list, t.wrap("look for pending indexes", err)
}

// WithoutPending returns the model of a replica without the indexes that are not built yet.
func WithoutPending(m *schema.Model, pending []PendingIndex) *schema.Model {
	if len(pending) == 0 {
		return m
	}
	return m.Without(func(o *schema.Object) bool {
		return o.Kind == schema.KindIndex && slices.ContainsFunc(pending, func(p PendingIndex) bool { return p.OID == o.OID })
	})
}

// later is an index of a plan that can be built beside the stream.
type later struct {
	PendingIndex
	decided, waits bool
}

// laterOf returns them by the objects of their statements.
func laterOf(plan schema.Steps, to *schema.Model) map[*schema.Object]*later {
	list := map[*schema.Object]*later{}
	known := map[*schema.Later]*later{}
	for o, l := range plan.Later(to) {
		if known[l] == nil {
			x := l.Index
			known[l] = &later{PendingIndex: PendingIndex{OID: x.OID, Schema: x.Schema, Table: x.Table, Name: x.Name, Statements: l.Statements}}
		}
		list[o] = known[l]
	}
	return list
}

// settle prepares a plan: pending indexes that stay what they are go on waiting, the others are
// forgotten, for the plan makes what they are now.
func (r *run) settle(plan schema.Steps, list map[*schema.Object]*later, pending []PendingIndex) error {
	var changed []PendingIndex
	touched := false
	for _, p := range pending {
		stays := false
		for _, l := range list {
			if l.is(p) {
				l.decided, l.waits, stays = true, true, true
			}
		}
		switch {
		case !stays:
			changed = append(changed, p)
		case slices.ContainsFunc(plan.Then, func(s schema.Statement) bool {
			return list[s.Object] == nil && s.Object.Schema == p.Schema && (s.Object.Table == p.Table || s.Object.Table == "" && s.Object.Name == p.Table)
		}):
			touched = true
		}
	}
	if len(changed) == 0 && !touched {
		return nil
	}
	t := r.t
	if err := t.endBuilds(r.ctx); err != nil {
		return err
	}
	for _, p := range changed {
		left, err := findIndex(r.ctx, t.conn, p)
		if err == nil && left != indexMissing {
			sql := "drop index " + schema.Quote(p.Schema, p.Name)
			t.o.Log.Debug("evolve", "replica", t.o.Name, "statement", sql)
			_, err = t.conn.Exec(r.ctx, sql)
		}
		if err != nil {
			return t.wrap("drop the unfinished "+p.String(), err)
		}
		if _, err := t.conn.Exec(r.ctx, `delete from bridge.pending_index where relid = $1`, p.OID); err != nil {
			return t.wrap("forget the pending "+p.String(), err)
		}
	}
	return nil
}

// waits decides, where the plan comes to make it, whether an index is built beside the stream, and notes it.
func (r *run) waits(l *later) (bool, error) {
	if l.decided {
		return l.waits, nil
	}
	l.decided = true
	t := r.t
	if err := t.conn.QueryRow(r.ctx, `
		select coalesce(pg_catalog.pg_relation_size(pg_catalog.to_regclass($1)), 0) > $2 and pg_catalog.to_regclass($3) is null`,
		l.table(), t.o.IndexBytes, schema.Quote(l.Schema, l.Name)).Scan(&l.waits); err != nil {
		return false, t.wrap("look how large table "+l.table()+" is", err)
	}
	if !l.waits {
		return false, nil
	}
	_, err := t.conn.Exec(r.ctx, `
		insert into bridge.pending_index (relid, schema_name, table_name, index_name, statements)
		values ($1, $2, $3, $4, $5)`, l.OID, l.Schema, l.Table, l.Name, l.Statements)
	return true, t.wrap("note the pending "+l.String(), err)
}

// What there is of an index.
type indexState int

const (
	indexMissing indexState = iota
	indexInvalid            // what an unfinished build leaves
	indexValid
)

func findIndex(ctx context.Context, conn *pgx.Conn, p PendingIndex) (state indexState, err error) {
	err = conn.QueryRow(ctx, `
		select case when i.indisvalid then 2 else 1 end
		from pg_catalog.pg_index i
		where i.indexrelid = pg_catalog.to_regclass($1) and i.indrelid = pg_catalog.to_regclass($2)`, schema.Quote(p.Schema, p.Name), p.table()).Scan(&state)
	if errors.Is(err, pgx.ErrNoRows) {
		return indexMissing, nil
	}
	return state, err
}

// giveWay notes whether the applier waits for locks, of which the builder can be the reason.
func (t *Target) giveWay(err error) {
	var blocked *sink.Blocked
	t.blocked = errors.As(err, &blocked) || err != nil && t.blocked
}

// interrupt ends the build of an index of a table that is to be emptied.
func (r *run) interrupt(table string) error {
	r.t.mu.Lock()
	building := r.t.building
	r.t.mu.Unlock()
	if building != table {
		return nil
	}
	if err := r.flight.land(); err != nil {
		return err
	}
	return r.t.endBuilds(r.ctx)
}

// endBuilds ends connections that build indexes, and waits until they hold no lock any more. A builder of this
// process begins again between two windows.
func (t *Target) endBuilds(ctx context.Context) error {
	_, err := t.conn.Exec(ctx, `
		select pg_catalog.pg_terminate_backend(l.pid, 5000)
		from pg_catalog.pg_locks l
		where l.locktype = 'advisory' and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
			and l.classid = 0 and l.objid = $1::bigint::oid and l.objsubid = 1`, int64(BuildLock))
	return t.wrap("end the building of indexes", err)
}

// buildIndexes starts the builder when there is none. It is there until all indexes are, or until Close.
func (t *Target) buildIndexes(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.builder != nil || !t.mayBuild() {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &background{cancel, make(chan struct{})}
	t.builder = b
	go func() {
		defer close(b.ended)
		defer cancel()
		t.build(ctx)
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.builder == b {
			t.builder = nil
		}
	}()
}

// mayBuild says whether nobody may need the tables for himself. The turn is held.
func (t *Target) mayBuild() bool {
	return !t.blocked && !t.reduced && t.consistent == 0 && len(t.copies) == 0
}

// A failed build is tried again after a while, which becomes longer.
const (
	retryBuild     = time.Second
	retryBuildLast = time.Minute
)

// build builds pending indexes, one after the other. What fails is noted with the index, said once, and tried again.
func (t *Target) build(ctx context.Context) {
	b := &builder{t: t}
	defer b.close()
	pause := retryBuild
	for {
		p, err := b.next(ctx)
		switch {
		case ctx.Err() != nil, err == nil && p == nil:
			return
		case err == nil:
			if err = b.build(ctx, *p); err == nil {
				pause = retryBuild
				continue
			}
			if b.failed(ctx, *p, err) {
				pause = min(2*pause, retryBuildLast)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// builder is what builds, with its connection.
type builder struct {
	t    *Target
	conn *pgx.Conn
}

// connect opens the connection. From then on endBuilds finds it.
func (b *builder) connect(ctx context.Context) (err error) {
	if b.conn != nil && !b.conn.IsClosed() {
		return nil
	}
	if b.conn, err = b.t.connect(ctx); err != nil {
		return err
	}
	// To wait here is in nobody's way.
	_, err = b.conn.Exec(ctx, fmt.Sprintf(`set application_name = 'bridge index'; set lock_timeout = 0; select pg_catalog.pg_advisory_lock(%d)`, BuildLock),
		pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		b.conn.Close(context.WithoutCancel(ctx))
	}
	return err
}

// close ends the connection; a build that goes on there is ended.
func (b *builder) close() {
	if b.conn == nil {
		return
	}
	b.conn.Close(context.Background())
	<-b.conn.PgConn().CleanupDone()
}

// next returns the index to be built next; nil when there is none, or when none may be built now. No plan is under way when it is read, and
// each one that begins later finds the connection.
func (b *builder) next(ctx context.Context) (*PendingIndex, error) {
	if err := b.connect(ctx); err != nil {
		return nil, err
	}
	if err := b.t.between(ctx); err != nil {
		return nil, err
	}
	defer b.t.turn.Unlock()
	list, err := readPending(ctx, b.conn)
	if err != nil || len(list) == 0 || !b.t.mayBuild() {
		return nil, err
	}
	b.t.mu.Lock()
	defer b.t.mu.Unlock()
	b.t.building = list[0].table()
	return &list[0], nil
}

func (b *builder) build(ctx context.Context, p PendingIndex) error {
	t := b.t
	started := time.Now()
	defer func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.building = ""
	}()
	state, err := findIndex(ctx, b.conn, p)
	if err != nil {
		return err
	}
	name := schema.Quote(p.Schema, p.Name)
	if state == indexInvalid {
		if _, err := b.conn.Exec(ctx, "drop index concurrently "+name); err != nil {
			return err
		}
	}
	if state != indexValid {
		t.o.Log.Info("index is being built", "replica", t.o.Name, "index", name, "table", p.table())
		if _, err := b.conn.Exec(ctx, concurrently(p.Statements[0]), pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
	}
	if err := b.finish(ctx, p); err != nil {
		return err
	}
	t.o.Log.Info("index is built", "replica", t.o.Name, "index", name, "table", p.table(), "took", time.Since(started).Round(time.Millisecond))
	return nil
}

// concurrently is the statement that creates an index while rows are written.
func concurrently(create string) string {
	const begin = "CREATE INDEX "
	return begin + "CONCURRENTLY " + create[len(begin):]
}

// finish makes what belongs to an index that was built, and forgets that it was pending.
func (b *builder) finish(ctx context.Context, p PendingIndex) error {
	if err := b.t.between(ctx); err != nil {
		return err
	}
	defer b.t.turn.Unlock()
	return pgx.BeginFunc(ctx, b.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "set local lock_timeout = '800ms'"); err != nil { // the stream waits
			return err
		}
		for _, sql := range p.Statements[1:] {
			if _, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `delete from bridge.pending_index where relid = $1`, p.OID)
		return err
	})
}

// failed notes why an index could not be built. That the build was ended is no failure.
func (b *builder) failed(ctx context.Context, p PendingIndex, err error) bool {
	var pg *pgconn.PgError
	if ctx.Err() != nil || lost(err) || !errors.As(err, &pg) {
		b.t.o.Log.Debug("index is built later", "replica", b.t.o.Name, "index", p.Name, "reason", err)
		return false
	}
	if err.Error() != p.Error {
		b.t.o.Log.Warn("index can not be built, it is tried again", "replica", b.t.o.Name, "index", schema.Quote(p.Schema, p.Name), "table", p.table(), "error", err)
	}
	if _, err := b.conn.Exec(ctx, `update bridge.pending_index set failures = failures + 1, error = $2 where relid = $1`, p.OID, err.Error()); err != nil {
		b.t.o.Log.Debug("the reason can not be kept", "replica", b.t.o.Name, "error", err)
	}
	return true
}
