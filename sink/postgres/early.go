package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/sink"
)

// Early rows
//
// The rows that a large transaction inserts first are stored while it is still open on the master: in a transaction of a connection
// of their own, since others commit meanwhile, here as there. When the block comes, it is applied in that transaction, behind its first inserts,
// if they are the same; so all of it is seen at once, and with the position, like any block.
//
// Two transactions that are open at the same time do not wait for each other here longer than for a lock_timeout, and where they do, or the
// schema changes, the early one is rolled back: the block is then applied as if there had been none.

// early is the transaction of early rows.
type early struct {
	rows *commitlog.Early
	own  *Target // on the connection of the transaction

	state  atomic.Int32    // who has the connection
	enough context.Context // ended: no more rows are to be taken
	stop   func()
	cut    func()        // ends what uses the connection, and it
	taken  chan struct{} // closed when none are
	n      int64         // behind taken: how many there are …
	sum    hash.Hash     // … and what they are
	err    error         // … or why they are of no use
	leave  chan struct{} // closed: it is not needed any more
	left   chan struct{} // closed when the connection is

	once sync.Once
}

const (
	earlyOpen    = iota
	earlyClaimed // by who applies the block
	earlyClosing
)

// shortRuns is behind how many COPYs of too few rows no more are taken.
const shortRuns = 100

// Early stores early rows until they are applied with their block, or are not to be. See sink.Earlier.
func (t *Target) Early(ctx context.Context, rows *commitlog.Early) error {
	conn, err := t.connect(ctx)
	if err != nil {
		return err
	}
	closing, cutClosing := context.WithCancel(context.WithoutCancel(ctx))
	ctx, cut := context.WithCancel(ctx)
	e := &early{cut: func() { cut(); cutClosing() }, rows: rows, taken: make(chan struct{}), sum: sha256.New(), leave: make(chan struct{}), left: make(chan struct{})}
	e.enough, e.stop = context.WithCancel(ctx)
	defer e.cut()
	defer close(e.left)
	defer conn.Close(closing)

	t.turn.Lock()
	model := t.modelSum
	fits := (t.early == nil || t.early.isLeft()) && t.models != nil && len(t.copies) == 0 && t.ahead.IsZero() && !t.reduced
	if fits {
		e.own = New(t.o)
		e.own.conn, e.own.models, e.own.version, e.own.ownDefaults = conn, t.models, t.version, t.ownDefaults
		e.own.clear()
		t.early = e
	}
	t.turn.Unlock()
	if !fits {
		return fmt.Errorf("%w: the replica is not complete", commitlog.ErrGone)
	}
	e.err = e.take(ctx, model)
	close(e.taken)
	err = e.err
	if err == nil {
		err = e.wait(ctx)
	}
	if !e.state.CompareAndSwap(earlyOpen, earlyClosing) {
		<-e.leave
		return nil
	}
	return err // nobody has claimed it, and nobody can any more
}

func (e *early) isLeft() bool {
	select {
	case <-e.left:
		return true
	default:
		return false
	}
}

// take stores rows until there are no more.
func (e *early) take(ctx context.Context, sum change.Checksum) error {
	model, err := e.own.models.Model(ctx, sum)
	if err != nil {
		return err
	}
	if _, err := e.own.conn.Exec(ctx, "begin"); err != nil {
		return e.own.wrap("begin", err)
	}
	r := &run{t: e.own, ctx: ctx, flight: e.own.takeOff(ctx), model: model}
	defer r.cut()
	runs := int64(0)
	for n := 0; ; n++ {
		part, relations, there, err := e.rows.Part(e.enough, n)
		if err != nil && (e.enough.Err() == nil || ctx.Err() != nil) {
			return err
		}
		if err != nil || !there {
			break
		}
		reader := change.NewReader(part)
		var c change.Change
		for {
			more, err := reader.Next(&c)
			if err != nil {
				return err
			}
			if !more {
				break
			}
			rel := relations[c.Relation]
			if r.pouring == nil || r.pouring.tbl.rel != rel {
				if err := r.poured(); err != nil {
					return err
				}
				tbl, err := e.table(ctx, model, rel)
				if err != nil {
					return err
				}
				r.pourInto(tbl, 0)
				runs++
			}
			r.pouring.add(c.New)
			e.n++
		}
		e.sum.Write(part)
		select {
		case <-r.pouring.done:
			return errors.Join(r.poured(), fmt.Errorf("%w: the rows end", commitlog.ErrGone))
		default:
		}
		if runs >= shortRuns && e.n/runs < copyInFrom {
			break
		}
	}
	return r.poured()
}

// table finds a table that is here what it is in the transaction. No COPY is going on.
func (e *early) table(ctx context.Context, model *change.Model, rel *change.Relation) (*table, error) {
	if known := e.own.tables[rel]; known != nil {
		return known, nil
	}
	now, err := e.own.around(model, rel.OID)
	if err != nil {
		return nil, err
	}
	there := now.tables[rel.OID]
	if there == nil || there.Partitioned || !there.Published(rel) {
		return nil, fmt.Errorf("%w: table %s is another here by now", commitlog.ErrGone, rel)
	}
	r := &run{t: e.own, ctx: ctx, flight: e.own.takeOff(ctx), model: model}
	tbl, err := r.table(rel)
	switch {
	case err != nil:
		return nil, err
	case len(tbl.loud) > 0 || len(tbl.columns) == 0:
		return nil, fmt.Errorf("%w: table %s has triggers that fire here", commitlog.ErrGone, rel)
	}
	return tbl, nil
}

// wait waits until the transaction is claimed or of no use any more.
func (e *early) wait(ctx context.Context) error {
	for {
		changed, gone := e.rows.Changed()
		if gone != nil {
			return gone
		}
		select {
		case <-changed:
		case <-e.enough.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			<-e.leave // somebody claims it, or drops it
			return nil
		case <-e.leave:
			return nil
		}
	}
}

// claim takes the transaction with its rows for the block of it; nil: there is none, or it is of no use. The turn is held.
func (t *Target) claim(b *commitlog.Block) *early {
	e := t.early
	if e == nil || e.rows.XID != b.XID {
		return nil
	}
	e.stop()
	<-e.taken
	_, gone := e.rows.Changed()
	if e.err == nil && gone == nil && e.n > 0 && len(t.copies) == 0 && t.ahead.IsZero() && e.state.CompareAndSwap(earlyOpen, earlyClaimed) {
		return e
	}
	t.dropEarly()
	return nil
}

// earlyPatience is how long the server is given to roll early rows back. One that does not answer does not hold up what
// goes on without them.
const earlyPatience = 2 * time.Second

// dropEarly rolls the early rows back, and waits until they are, or the connection is gone. The turn is held.
func (t *Target) dropEarly() {
	e := t.early
	if e == nil {
		return
	}
	t.early = nil
	e.stop()
	e.once.Do(func() { close(e.leave) })
	select {
	case <-e.left:
	case <-time.After(earlyPatience):
		e.cut()
		<-e.left
	}
}

// applyEarly applies a large block in the transaction that has its first rows. Whatever goes wrong, it is gone behind it.
func (t *Target) applyEarly(ctx context.Context, w *sink.Window, e *early) error {
	defer t.dropEarly()
	own := e.own
	own.modelSum, own.consistent = t.modelSum, t.consistent
	r := own.begin(ctx, false, false)
	r.early = &earlyRows{left: e.n, sum: sha256.New(), want: e.sum.Sum(nil), same: map[*change.Relation]bool{}, stored: map[uint32]*change.Relation{}}
	for rel := range own.tables {
		r.early.stored[rel.OID] = rel
	}
	if err := r.whole(w); err != nil {
		if lost(err) || errors.Is(err, context.Canceled) {
			return err
		}
		return fmt.Errorf("%w: %w", commitlog.ErrGone, err)
	}
	t.o.Log.Debug("rows were there before the commit", "replica", t.o.Name, "block", w.Blocks[0].Seq, "rows", e.n)
	if len(r.evolved) > 0 {
		clear(t.tables)
		if err := t.forgetAll(ctx); err != nil {
			return err
		}
	}
	_, err := t.read(ctx)
	return err
}

// earlyRows are the inserts of a block that are there already.
type earlyRows struct {
	left   int64
	sum    hash.Hash
	want   []byte
	stored map[uint32]*change.Relation // what they were stored as; a server that streams can be wrong about that
	same   map[*change.Relation]bool   // known to say the same
}

// pass passes over an insert that is there already, of which these are the bytes; not if it is not one of them.
func (r *run) pass(c *change.Change, raw []byte) (passed bool, err error) {
	e := r.early
	if e == nil || e.left == 0 || c.Op == change.Evolve {
		return false, nil
	}
	if c.Op != change.Insert {
		return false, fmt.Errorf("%w: the block does not begin with these rows", commitlog.ErrGone)
	}
	if rel := r.model.Relation(c.Relation); rel == nil || !e.same[rel] {
		stored := e.stored[c.Relation]
		if rel == nil || stored == nil || rel.Definition() != stored.Definition() {
			return false, fmt.Errorf("%w: the columns of relation %d are others", commitlog.ErrGone, c.Relation)
		}
		e.same[rel] = true
	}
	e.sum.Write(raw)
	if e.left--; e.left == 0 && !bytes.Equal(e.sum.Sum(nil), e.want) {
		return false, fmt.Errorf("%w: the block does not begin with these rows", commitlog.ErrGone)
	}
	return true, nil
}
