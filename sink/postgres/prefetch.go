package postgres

import (
	"context"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/sink"
)

// Prefetching: the rows that a large window will update or delete are read by connections beside the one that applies, while that
// stores the window's blocks and is busy with the rows before. A server reads a row from its disk when the change comes to it, and
// does nothing meanwhile; a bitmap scan has many pages read at a time (effective_io_concurrency in PostgreSQL's
// https://www.postgresql.org/docs/current/runtime-config-resource.html).
//
// Nothing depends on it. It sees some state of the rows, and only to have them in memory; nobody waits for it; what can not be read at
// once is not read; when its connection is lost, windows are applied without it until the replica is connected to again.
//
// What it is worth depends on where the rows are, and on whether the replica has a processor to spare: it is a multiple for tables that
// are larger than the memory, and it is nothing, or less, where all is in memory and all processors are busy. So it is tried (pace).

const (
	prefetchRows   = 128 // are read by one statement
	prefetchLeast  = 16  // are worth one
	prefetchQueued = 32  // statements may wait; when there are more, the window is faster than what is to help it
	prefetchTried  = 500 // rows tell how fast a window is with it, or without
)

// pace learns whether large windows are applied faster with something or without it, by trying both.
type pace struct {
	each  [2]float64 // seconds a row, of late: without and with; 0: it was not tried
	pause int        // windows for which the slower way was not tried, the last time
	left  int        // of such a pause
}

const (
	paceFresh   = 0.3   // of a pace is the last window's
	paceLeast   = 8     // windows are a pause …
	paceMost    = 64    // … up to so many
	paceSlow    = 50e-6 // seconds a row: if it is in memory it takes less, and a busy replica is not bothered soon
	paceWithout = 0
	paceWith    = 1
)

func (p *pace) faster() int {
	if with := p.each[paceWith]; with > 0 && with < p.each[paceWithout] {
		return paceWith
	}
	return paceWithout
}

// next says which way the next window takes. The slower one is tried again, the less often the longer it has been the slower one.
func (p *pace) next() int {
	switch {
	case p.each[paceWithout] == 0:
		return paceWithout
	case p.each[paceWith] == 0 && p.each[paceWithout] > paceSlow:
		return paceWith
	case p.left > 0:
		p.left--
		return p.faster()
	}
	p.pause = min(2*p.pause, paceMost)
	p.left = p.pause
	return 1 - p.faster()
}

// took notes how long a window with so many rows took on its way.
func (p *pace) took(way int, took time.Duration, rows int) {
	each := max(took.Seconds(), 1e-9) / float64(rows)
	before := p.faster()
	if p.each[way] == 0 {
		p.each[way] = each
	} else {
		p.each[way] += paceFresh * (each - p.each[way])
	}
	if p.pause == 0 || p.faster() != before {
		p.pause, p.left = paceLeast, paceLeast
	}
}

// prefetching is what reads ahead for a target.
type prefetching struct {
	background
	queue  chan prefetchKeys
	window atomic.Int64 // the number of the window that is applied: what waits for others is of no use any more
	found  atomic.Int64 // rows
}

// prefetchKeys are the keys of rows to read, as parameters of the statement.
type prefetchKeys struct {
	window  int64
	sql     string
	types   []uint32
	formats []int16
	params  [][]byte
}

// beginPrefetch says what a run does of it. It connects those who read when they are wanted for the first time.
func (r *run) beginPrefetch(w *sink.Window) {
	if r.t.o.Prefetchers == 0 || r.inOrder || w.Parts == nil && len(w.Blocks) < commitlog.CopyFrom {
		return
	}
	r.prefetches = prefetches{wanted: true, way: r.t.pace.next(), began: time.Now()}
	if r.prefetches.way == paceWithout {
		return
	}
	if r.t.prefetching == nil {
		r.t.startPrefetching(r.ctx)
	}
	r.t.prefetching.window.Add(1)
}

// prefetches is what a run does of it.
type prefetches struct {
	wanted bool
	way    int
	began  time.Time
	rows   int // that were, or would have been, read ahead
}

// endPrefetch notes how fast a window was that has been applied.
func (r *run) endPrefetch(w *sink.Window) {
	if p := &r.prefetches; p.rows >= prefetchTried && !w.Growing { // the other one waits for its parts
		r.t.pace.took(p.way, time.Since(p.began), p.rows)
	}
}

// startPrefetching connects those who read ahead; they are there until Close.
func (t *Target) startPrefetching(ctx context.Context) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &prefetching{background: background{cancel, make(chan struct{})}, queue: make(chan prefetchKeys, prefetchQueued)}
	t.prefetching = p
	group, ctx := errgroup.WithContext(life)
	for range t.o.Prefetchers {
		group.Go(func() error { return t.prefetch(ctx, p) })
	}
	go func() {
		defer close(p.ended)
		if err := group.Wait(); life.Err() == nil {
			t.o.Log.Info("rows are not read ahead until the replica is connected to again", "replica", t.o.Name, "reason", err)
		}
	}()
}

// stopPrefetching ends and waits for them.
func (t *Target) stopPrefetching() {
	if t.prefetching != nil {
		t.prefetching.end()
		t.prefetching = nil
	}
}

// prefetchConn connects one who reads ahead. A key is read as the applying connection reads it, but by a bitmap scan.
func (t *Target) prefetchConn(ctx context.Context) (*pgx.Conn, error) {
	config := t.pinned()
	maps.Copy(config.RuntimeParams, map[string]string{
		"application_name": "bridge prefetch", "default_transaction_read_only": "on", "lock_timeout": "10ms", "enable_indexscan": "off",
	})
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	// Some systems can not do it, and refuse the setting: then a page is read at a time.
	if _, err := conn.Exec(ctx, "set effective_io_concurrency = 64"); err != nil && lost(err) {
		conn.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	return conn, nil
}

// prefetch reads what is queued until ctx or the connection ends.
func (t *Target) prefetch(ctx context.Context, p *prefetching) error {
	conn, err := t.prefetchConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	names := map[string]string{}
	for {
		var keys prefetchKeys
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case keys = <-p.queue:
		}
		if keys.window != p.window.Load() {
			continue
		}
		if len(names) >= maxStatements {
			clear(names)
			if err := conn.DeallocateAll(ctx); err != nil {
				return err
			}
		}
		rows, err := keys.read(ctx, conn.PgConn(), names)
		if err != nil && (lost(err) || conn.IsClosed()) {
			return err
		}
		if err != nil { // a table may be locked, or be another one by now
			t.o.Log.Debug("rows were not read ahead", "replica", t.o.Name, "reason", err)
		}
		p.found.Add(rows)
	}
}

// read executes the statement, which is prepared once, and returns how many rows there are.
func (k *prefetchKeys) read(ctx context.Context, conn *pgconn.PgConn, names map[string]string) (rows int64, err error) {
	name, known := names[k.sql]
	if !known {
		name = fmt.Sprintf("bridge_%d", len(names)+1)
		if _, err := conn.Prepare(ctx, name, k.sql, k.types); err != nil {
			return 0, err
		}
		names[k.sql] = name
	}
	result := conn.ExecPrepared(ctx, name, k.params, k.formats, nil).Read()
	if result.Err != nil {
		return 0, result.Err
	}
	_, err = fmt.Sscan(string(result.Rows[0][0]), &rows)
	return rows, err
}

// prefetch has the rows of entries read that were added since it was called last, once there are so many. A table that a few rows are
// changed in again and again has these in memory.
func (r *run) prefetch(b *batch, least int) {
	fresh := b.entries[b.prefetched:]
	if !r.prefetches.wanted || len(fresh) < least || b.tbl.hot || !b.tbl.keyIndex {
		return
	}
	b.prefetched = len(b.entries)
	r.prefetches.rows += len(fresh)
	if r.prefetches.way == paceWithout {
		return
	}
	rows := make([]change.Tuple, 0, len(fresh))
	for i := range fresh {
		if fresh[i].had {
			rows = append(rows, fresh[i].row)
		}
	}
	if len(rows) < prefetchLeast {
		return
	}
	b.tbl.sort(rows)
	p := r.t.prefetching
	keys := prefetchKeys{window: p.window.Load()}
	keys.sql, keys.types = b.tbl.sqlPrefetch()
	keys.formats, keys.params = b.tbl.columnArrays(rows, b.tbl.key)
	select {
	case p.queue <- keys:
	default:
	}
}
