package pgbridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/config"
	"github.com/pgbridge/pgbridge/decoder"
	"github.com/pgbridge/pgbridge/schema"
)

// tap reads the master's slot and stores the transactions as commit blocks. It
// composes decoder and commitlog, which know nothing of each other.
type tap struct {
	config   *config.Config
	log      *slog.Logger
	patience time.Duration
	tail     *commitlog.Tail // gets what is stored; may be nil
	alone    bool            // no replica runs in another process

	publisher schema.Publisher
}

// durableEvery is how often the writer asks what is on disk, while there is something
// that may not be.
const durableEvery = 200 * time.Millisecond

// forgetEvery is how often the writer forgets when old changes of the model were.
const forgetEvery = time.Minute

// run taps until ctx ends; after a failure it begins again behind the last block.
func (t *tap) run(ctx context.Context) error {
	return retry(ctx, t.log, "tap", t.once)
}

// retry calls f until ctx ends, with growing pauses between failures. An error is
// logged once as long as it stays the same.
func retry(ctx context.Context, log *slog.Logger, what string, f func(context.Context) error) error {
	wait, logged := 100*time.Millisecond, ""
	for {
		started := time.Now()
		err := f(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil {
			err = errors.New("ended without a reason")
		}
		if time.Since(started) > 10*time.Second {
			wait, logged = 100*time.Millisecond, ""
		}
		if reason := err.Error(); reason != logged {
			log.Error(what+" failed, tries again", "error", reason)
			logged = reason
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// errStreamAgain ends a session without streaming that has done what it was for.
var errStreamAgain = errors.New("streaming goes on")

// once taps until something fails. Where a session that streams is in doubt, or the
// server fails to decode, one without streaming brings the tap past that place: the
// blocks are the same.
func (t *tap) once(ctx context.Context) error {
	var past change.LSN // 0: with streaming
	for {
		err := t.session(ctx, past)
		switch {
		case ctx.Err() != nil:
			return err
		case errors.Is(err, errStreamAgain):
			past = 0
		case past == 0 && (errors.Is(err, decoder.ErrDoubt) || internal(err)):
			t.log.Debug("tap goes on without streaming for a while", "reason", err)
			if past, err = t.end(ctx); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// internal says whether the server reports an error of its own. Decoding rolled-back
// rewrites of tables while they are streamed ends in such ones.
func internal(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "XX000"
}

// end is the end of the master's write-ahead log.
func (t *tap) end(ctx context.Context) (lsn change.LSN, err error) {
	settings, err := connConfig(t.config.Master.URL, "bridge log", t.patience)
	if err != nil {
		return 0, err
	}
	conn, err := pgx.ConnectConfig(ctx, settings)
	if err != nil {
		return 0, fmt.Errorf("connect to the master: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := conn.QueryRow(ctx, `select pg_catalog.pg_current_wal_insert_lsn()::text`).Scan(&lsn); err != nil {
		return 0, fmt.Errorf("ask for the master's position: %w", err)
	}
	return lsn, nil
}

// session taps over one replication connection. With past set it does so without
// streaming, and ends when the log has come past that position.
func (t *tap) session(ctx context.Context, past change.LSN) error {
	settings, err := connConfig(t.config.Master.URL, "bridge log", t.patience)
	if err != nil {
		return err
	}
	// A block that a crash takes away is made again, identically.
	settings.RuntimeParams["synchronous_commit"] = "off"
	conn, err := pgx.ConnectConfig(ctx, settings)
	if err != nil {
		return fmt.Errorf("connect to the master: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	writer, err := commitlog.OpenWriter(ctx, conn)
	if err != nil {
		return err
	}
	writer.Tail = t.tail
	defer t.tail.Starve()
	if err := t.checkSlot(ctx, conn, writer.Head()); err != nil {
		return err
	}
	changes, err := writer.Changes(ctx)
	if err != nil {
		return err
	}
	t.log.Info("tap starts", "slot", t.config.Master.Slot, "behind", writer.Head().String())

	var durable, oldest atomic.Uint64
	pending := newGathering(t.config.Window)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return t.store(ctx, writer, pending, &durable, &oldest, past) })
	group.Go(func() error {
		return decoder.Run(ctx, decoder.Options{
			Config:      &settings.Config,
			Slot:        t.config.Master.Slot,
			Publication: t.config.Master.Publication,
			Start:       writer.Head().LSN,
			Model:       writer.Model(),
			Changes:     changes,
			Streaming:   past == 0,
			Certain:     t.certain,
			Relabels:    schema.Relabels,
			Early:       t.early,
			Oldest:      func() change.LSN { return change.LSN(oldest.Load()) },
			Durable:     func() change.LSN { return change.LSN(durable.Load()) },
		}, func(tx *decoder.Tx) error { return pending.put(ctx, gather(writer, tx)) })
	})
	return group.Wait()
}

// early takes the first rows of a large transaction for the appliers of this process.
func (t *tap) early(xid uint32) decoder.Early {
	if e := t.tail.Early(xid); e != nil {
		return e
	}
	return nil
}

// certain says whether the model's schema knows these relations to be what the server says of their tables.
func (t *tap) certain(m *change.Model, relations []*change.Relation) bool {
	certain, err := t.publisher.Publishes(m, relations)
	if err != nil {
		t.log.Debug("the schema does not say what tables are", "reason", err)
	}
	return certain
}

// checkSlot finds out why a slot can not be read, before the server says so less
// clearly.
func (t *tap) checkSlot(ctx context.Context, conn *pgx.Conn, head change.Position) error {
	slot := t.config.Master.Slot
	var status string
	err := conn.QueryRow(ctx, `
		select coalesce(wal_status, 'unknown')
		from pg_catalog.pg_replication_slots
		where slot_name = $1 and database = pg_catalog.current_database()`, slot).Scan(&status)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("replication slot %q is gone: the master no longer keeps what was committed since block %d; "+
			"begin a new log with bridge drop and bridge init, the replicas are then copied again", slot, head.Seq)
	case err != nil:
		return fmt.Errorf("look up replication slot %q: %w", slot, err)
	case status == "lost":
		return fmt.Errorf("replication slot %q is lost: the bridge was down or slow for longer than max_slot_wal_keep_size allows, and the master "+
			"went on without it at block %d; begin a new log with bridge drop and bridge init, the replicas are then copied again", slot, head.Seq)
	}
	return nil
}

// store writes what is gathered, one window a transaction.
func (t *tap) store(ctx context.Context, writer *commitlog.Writer, pending *gathering, durable, oldest *atomic.Uint64, past change.LSN) error {
	defer close(pending.closed)
	tick := time.NewTicker(durableEvery)
	defer tick.Stop()
	var asked, forgot, ended time.Time
	var took time.Duration
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-pending.ready:
			pending.fill(ctx, t.rest(took)-time.Since(ended))
		case <-tick.C:
		}
		txs := pending.take()
		if len(txs) > 0 {
			signal(pending.ready) // there may be more
			began := time.Now()
			if err := t.append(ctx, writer, txs); err != nil {
				return err
			}
			ended = time.Now()
			took = ended.Sub(began)
			// It writes, and so not while nothing happens.
			if time.Since(forgot) >= forgetEvery {
				from, err := writer.Forget(ctx, t.config.Master.Slot)
				if err != nil {
					return err
				}
				oldest.Store(uint64(from))
				forgot = time.Now()
			}
			if past != 0 && writer.Head().LSN > past {
				return errStreamAgain
			}
		}
		if time.Since(asked) >= durableEvery {
			position, err := writer.Durable(ctx)
			if err != nil {
				return err
			}
			durable.Store(uint64(position.LSN))
			asked = time.Now()
		}
	}
}

func (t *tap) append(ctx context.Context, writer *commitlog.Writer, txs []gathered) error {
	if large := txs[0].stored; large != nil {
		tx := txs[0].tx
		err := writer.AppendLarge(ctx, tx.Parts, func() commitlog.Entry { return entry(tx) })
		large <- err
		return err
	}
	made := make([]commitlog.Made, len(txs))
	for i := range txs {
		made[i] = txs[i].made
	}
	return writer.Store(ctx, made)
}

func entry(tx *decoder.Tx) commitlog.Entry {
	return commitlog.Entry{XID: tx.XID, LSN: tx.LSN, Commit: tx.Commit, Model: tx.Model, Models: tx.Models, Changes: tx.Changes, Content: tx.Content}
}

// gathering is the window that is being filled: what the decoder has emitted and the
// writer has not taken. It holds a bounded number of bytes.
type gathering struct {
	limits config.Window
	ready  chan struct{} // there is something to take
	room   chan struct{} // something was taken
	full   chan struct{} // there is a window's worth
	closed chan struct{} // nobody takes any more; closed by the writer

	mu    sync.Mutex
	txs   []gathered
	bytes int64
	timer bool
}

// Behind a backlog a full window is worth waiting for a little: it costs less, here and on every replica. What is a
// hundred times as far behind does not notice. And storing is to take no more than half of the master's time for it, and
// less where nobody waits for it: who applies in this process has the blocks already.
const (
	backlogFrom  = 200 * time.Millisecond
	backlogShare = 100
	backlogDelay = 200 * time.Millisecond // at most
	restDelay    = 5 * time.Millisecond   // at most, where replicas are in other processes
	aloneDelay   = 20 * time.Millisecond  // where all are in this one
)

// rest is how long nothing is stored behind what has taken so long.
func (t *tap) rest(took time.Duration) time.Duration {
	if t.alone {
		return aloneDelay
	}
	return min(took, restDelay)
}

// fill gives a window time to fill: for the rest, or while there is much to do.
func (g *gathering) fill(ctx context.Context, rest time.Duration) {
	delay := rest
	g.mu.Lock()
	if len(g.txs) > 0 && g.txs[0].behind >= backlogFrom {
		delay = min(g.txs[0].behind/backlogShare, backlogDelay)
	}
	if len(g.txs) == 0 || len(g.txs) >= g.limits.Transactions || g.bytes >= g.limits.Bytes || g.txs[0].stored != nil {
		delay = 0
	}
	g.mu.Unlock()
	if delay <= 0 {
		return
	}
	select {
	case <-g.full:
	case <-time.After(delay):
	case <-ctx.Done():
	}
}

type gathered struct {
	made   commitlog.Made // or, large:
	tx     *decoder.Tx
	stored chan error // of a large transaction, which is read while it is stored

	weight int64         // bytes of memory, about
	behind time.Duration // how long after the commit it was sent
}

// gather makes the block, but for a large transaction.
func gather(writer *commitlog.Writer, tx *decoder.Tx) gathered {
	g := gathered{behind: tx.Behind, weight: int64(len(tx.Content))}
	for _, m := range tx.Models {
		g.weight += int64(m.Len()) * modelWeight
	}
	if tx.Large {
		g.tx, g.stored = tx, make(chan error, 1)
	} else {
		g.made = writer.Make(entry(tx))
	}
	return g
}

// modelWeight is about what an object costs in each model that it is part of.
const modelWeight = 256

func newGathering(limits config.Window) *gathering {
	return &gathering{limits: limits, ready: make(chan struct{}, 1), full: make(chan struct{}, 1), room: make(chan struct{}, 1), closed: make(chan struct{})}
}

// put adds a transaction; it waits while the window is full, and until a large
// transaction is stored. Only one goroutine calls it.
func (g *gathering) put(ctx context.Context, item gathered) error {
	for {
		g.mu.Lock()
		if g.bytes < g.limits.Bytes && len(g.txs) < 2*g.limits.Transactions {
			break
		}
		g.mu.Unlock()
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-g.room:
		}
	}
	g.txs = append(g.txs, item)
	g.bytes += item.weight
	full := len(g.txs) >= g.limits.Transactions || g.bytes >= g.limits.Bytes || item.stored != nil
	if full {
		signal(g.full)
	}
	first := !g.timer
	g.timer = true
	g.mu.Unlock()
	switch {
	case g.limits.Delay == 0 || full:
		signal(g.ready)
	case first:
		time.AfterFunc(g.limits.Delay, func() { signal(g.ready) })
	}
	if item.stored == nil {
		return nil
	}
	select {
	case err := <-item.stored:
		return err
	case <-ctx.Done():
		// The writer may still be reading the transaction, which ends with this call.
		select {
		case err := <-item.stored:
			return err
		case <-g.closed:
			return context.Cause(ctx)
		}
	}
}

// take removes a window's worth of transactions, or one large one; nil if there are none.
func (g *gathering) take() []gathered {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, size := 0, int64(0)
	for n < len(g.txs) && n < g.limits.Transactions && size < g.limits.Bytes {
		if g.txs[n].stored != nil {
			if n == 0 {
				n = 1
			}
			break
		}
		size += g.txs[n].weight
		n++
	}
	taken := g.txs[:n:n]
	if g.txs = g.txs[n:]; len(g.txs) == 0 {
		g.txs, g.timer = nil, false
	}
	g.bytes -= size
	if n > 0 {
		signal(g.room)
	}
	return taken
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
