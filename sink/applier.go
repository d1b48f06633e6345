package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
)

// Target is a replica's database. Its methods are called from one goroutine, but
// Durable, Trim and Close, which are safe beside the others.
type Target interface {
	// Open connects and makes this process the only one that applies here. A
	// replica that is new, or whose copy was interrupted, is not ready.
	Open(ctx context.Context) (State, error)

	// Copy brings a replica that is not ready to a position of the master's log,
	// or goes on with a copy that was interrupted.
	Copy(ctx context.Context, models Models) (State, error)

	// Apply applies a window in one transaction, together with the position; when it
	// fails, nothing of it was applied. inOrder asks for one change after
	// the other as the master made them, so that the error can name the one that fails.
	Apply(ctx context.Context, w *Window, models Models, inOrder bool) error

	// Maintain does what is to be done between windows: a look at the replica's schema, tables
	// that are to be copied again, the end of a copy. It is called before the first window and every few seconds.
	Maintain(ctx context.Context, models Models) error

	// Stopped keeps the reason why the replica stands still, for whoever asks; none means
	// that it does not any more.
	Stopped(ctx context.Context, reason string) error

	// Durable is the last position that survives a crash of the replica.
	Durable(ctx context.Context) (change.Position, error)

	// Trim drops stored blocks below keep.
	Trim(ctx context.Context, keep int64) error

	// Close ends the connections. It can be called at any time, and again.
	Close()
}

// State is where a replica stands.
type State struct {
	Ready    bool
	Anchor   change.Checksum // of the log that the replica belongs to
	Position change.Position
	Model    change.Checksum
}

// Mismatch is a replica that is not what the block expects. It names the block,
// the table, the key where there is one, and what to do.
type Mismatch struct {
	Replica string
	Seq     int64
	Table   string
	OID     uint32 // of the table on the master; 0: there is none
	Key     string
	Reason  string
	Remedy  string
}

func (e *Mismatch) Error() string {
	s := fmt.Sprintf("block %d does not fit replica %s", e.Seq, e.Replica)
	if e.Table != "" {
		s += ": table " + e.Table
	}
	if e.Key != "" {
		s += ", key " + e.Key
	}
	s += ": " + e.Reason
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// Unreachable marks an error of a database that can not be talked to.
type Unreachable struct{ Err error }

func (e *Unreachable) Error() string { return e.Err.Error() }
func (e *Unreachable) Unwrap() error { return e.Err }

// ErrTaken says that another process applies to the replica; how the replica fares is
// that one's to say.
var ErrTaken = errors.New("another bridge applies to the replica: end it first, or wait until the server notices that it is gone")

// Blocked marks an error of a lock that someone else holds on the replica, as a reader does of a
// table that evolves. It is tried again, and does not wait long, so that nobody
// has to wait behind it.
type Blocked struct {
	Err      error
	Evolving bool // what waits changes the schema
}

func (e *Blocked) Error() string { return e.Err.Error() }
func (e *Blocked) Unwrap() error { return e.Err }

func blocked(err error) bool {
	var b *Blocked
	return errors.As(err, &b)
}

func unreachable(err error) bool {
	var u *Unreachable
	return errors.As(err, &u)
}

// Applier keeps one replica up to date.
type Applier struct {
	Name   string
	Kind   string
	Target Target
	Master func(context.Context) (*pgx.Conn, error) // opens a connection to the master
	Limits Limits
	Tail   *commitlog.Tail // shared with others of the process; may be nil
	Log    *slog.Logger

	// Shortage says how short processors are on this machine, from 0, not at all, to 1; nil: it is not known, and taken for 1.
	Shortage func() float64

	stored int64 // a large block that is not to be applied before it is stored
	reader *commitlog.TailReader

	mu       sync.Mutex
	position change.Position
	state    string
	problem  string
}

// Backoff after a failure: a replica that stands still tries again at this pace.
const (
	retryFirst = 100 * time.Millisecond
	retryLast  = 5 * time.Second
	// A server that is away is asked more often: it may be back at any moment.
	retryUnreachable = time.Second
)

// Run applies until ctx ends. It returns ctx's error: every other one is kept as the
// replica's state, logged once, and tried again.
func (a *Applier) Run(ctx context.Context) error {
	a.reader = a.Tail.Reader()
	defer a.reader.Close()
	defer a.Target.Close()
	wait := retryFirst
	inOrder := false
	for ctx.Err() == nil {
		before := a.at()
		err := a.once(ctx, inOrder)
		if ctx.Err() != nil {
			break
		}
		if a.at() != before {
			wait = retryFirst
		}
		var fallback *setwiseError
		if inOrder = errors.As(err, &fallback); inOrder {
			a.Log.Debug("window is applied in order", "replica", a.Name, "reason", fallback.err)
			continue
		}
		var unmade *unmadeError
		if errors.As(err, &unmade) {
			a.Log.Debug("large block is applied when it is stored", "replica", a.Name, "reason", err)
			continue
		}
		a.fail(ctx, err)
		if unreachable(err) || blocked(err) {
			wait = min(wait, retryUnreachable)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, retryLast)
	}
	return context.Cause(ctx)
}

// setwiseError is a window that could not be applied set-wise; in order it may.
type setwiseError struct{ err error }

func (e *setwiseError) Error() string { return e.err.Error() }
func (e *setwiseError) Unwrap() error { return e.err }

// unmadeError is a block that was being made and could not be applied meanwhile: it is to be applied from the log.
type unmadeError struct{ err error }

func (e *unmadeError) Error() string { return e.err.Error() }
func (e *unmadeError) Unwrap() error { return e.err }

// once opens everything and applies until something fails. inOrder says that the
// first blocks are to be applied in order, each on its own.
func (a *Applier) once(ctx context.Context, inOrder bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer a.Target.Close()

	pull, err := a.Master(ctx)
	if err != nil {
		return fmt.Errorf("connect to the master: %w", err)
	}
	defer pull.Close(context.WithoutCancel(ctx))
	models := &modelCache{open: a.Master}
	defer models.close()

	state, err := a.Target.Open(ctx)
	if err != nil {
		return err
	}
	anchor, err := commitlog.Anchor(ctx, pull)
	if err != nil {
		return err
	}
	if !state.Anchor.IsZero() && state.Anchor != anchor.Checksum {
		return fmt.Errorf("replica %s belongs to another log than the master's (it was made before bridge drop and bridge init?): "+
			"run bridge drop --replica %s, empty its tables, and it is copied again", a.Name, a.Name)
	}
	if state.Ready {
		a.progress(state.Position, "catching_up")
	} else {
		a.set("copying")
		reporting, stop := context.WithCancel(ctx)
		var reporter sync.WaitGroup
		reporter.Go(func() { a.report(reporting, models) })
		state, err = a.Target.Copy(ctx, models)
		stop()
		reporter.Wait()
		if err != nil {
			return err
		}
		a.progress(state.Position, "catching_up")
	}

	p := &puller{conn: pull, limits: a.Limits, model: state.Model, verify: commitlog.NewVerifier(state.Position), tail: a.Tail, models: models, stored: a.stored, idle: make(chan struct{}, 1)}
	windows := make(chan *Window)
	var pulling, reporting sync.WaitGroup
	var pullErr error
	pulling.Go(func() {
		pullErr = p.run(ctx, windows)
		close(windows)
	})
	reporting.Go(func() { a.report(ctx, models) })
	if target, can := a.Target.(Earlier); can && a.Tail != nil {
		reporting.Go(func() { a.early(ctx, target) })
	}
	defer func() {
		cancel()
		for range windows { // the puller may be about to send
		}
		pulling.Wait()
		reporting.Wait()
	}()

	until := state.Position.Seq + int64(2*a.Limits.Blocks)
	if err := a.Target.Maintain(ctx, models); err != nil {
		return err
	}
	maintain := time.NewTicker(maintainEvery)
	defer maintain.Stop()
	caughtUp := false
	for {
		var w *Window
		var more bool
		select {
		case w, more = <-windows:
		case <-p.idle:
			if caughtUp {
				continue
			}
			// A replica may stand still for want of something else than the next block.
			if err := a.Target.Stopped(ctx, ""); err != nil {
				return err
			}
			caughtUp = true
			a.progress(a.at(), "streaming")
			continue
		case <-maintain.C:
			if err := a.Target.Maintain(ctx, models); err != nil {
				return err
			}
			continue
		}
		if !more {
			return a.explain(pullErr)
		}
		began := time.Now()
		if w.Growing {
			err = a.applyGrowing(ctx, w, models)
		} else if inOrder {
			err = a.applyInOrder(ctx, w, models)
			inOrder = w.After().Seq < until
		} else if err = a.Target.Apply(ctx, w, models, false); err != nil && errors.Is(err, commitlog.ErrGone) {
			err = &unmadeError{err}
		} else if err != nil && retryInOrder(err) {
			err = &setwiseError{err}
		}
		if err != nil {
			return err
		}
		a.progress(w.After(), "streaming")
		if pause := a.rest(w, time.Since(began)); pause > 0 {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

const (
	restFrom  = 4  // blocks
	restTo    = 64 // blocks
	restLeast = time.Millisecond
	restTimes = 2 // as long as the window took, where processors are as short as can be
	restMost  = 10 * time.Millisecond
)

// rest is how long nothing is applied behind a window that took so long. Where several blocks have come while one window was applied, they cost
// less, of the bridge and of the replica, in larger windows; the more so where they take longer for want of processors: they take a third of the
// time then. Where a single one has come, the next one shall not wait, and a window of many is part of a backlog.
func (a *Applier) rest(w *Window, took time.Duration) time.Duration {
	if n := len(w.Blocks); n < restFrom || n >= restTo {
		return 0
	}
	short := 1.0
	if a.Shortage != nil {
		short = a.Shortage()
	}
	return min(max(time.Duration(short*restTimes*float64(took)), restLeast), restMost)
}

// Earlier is a Target that can store rows of a transaction before it is known whether it commits.
type Earlier interface {
	// Early stores the rows in a transaction of their own. The block of their transaction is applied in it, by Apply, if it begins with
	// the same rows; else they are rolled back. It returns when one or the other has happened, or when ctx ends. It runs beside everything else.
	Early(ctx context.Context, rows *commitlog.Early) error
}

const (
	earlyFrom  = 2 << 20                // bytes of rows that are worth a transaction of their own
	earlyEvery = 200 * time.Millisecond // is looked for them while there are some
)

// early has rows of large transactions stored while these are open.
func (a *Applier) early(ctx context.Context, target Earlier) {
	tried := map[uint32]bool{} // none is stored again and again
	for ctx.Err() == nil {
		begun := a.Tail.Begun()
		select {
		case <-begun:
		default:
			clear(tried)
			select {
			case <-begun:
			case <-ctx.Done():
				return
			}
		}
		if a.isStreaming() {
			if rows := a.Tail.LargestEarly(earlyFrom, tried); rows != nil {
				tried[rows.XID] = true
				if err := target.Early(ctx, rows); err != nil && ctx.Err() == nil {
					a.Log.Debug("rows are not applied early", "replica", a.Name, "xid", rows.XID, "reason", err)
				}
				rows.Close()
			}
		}
		select {
		case <-time.After(earlyEvery):
		case <-ctx.Done():
		}
	}
}

// explain adds to the error of a replica whose blocks are gone what to do about it.
func (a *Applier) explain(err error) error {
	var gap *commitlog.GapError
	if errors.As(err, &gap) && gap.Oldest > gap.Want {
		return fmt.Errorf("%w; replica %s was away for longer than log.retain_for or log.retain_bytes allow: "+
			"run bridge drop --replica %s, empty its tables, and it is copied again", err, a.Name, a.Name)
	}
	return err
}

// maintainEvery is how often Target.Maintain is called.
const maintainEvery = 2 * time.Second

// applyInOrder applies the window's blocks one by one.
func (a *Applier) applyInOrder(ctx context.Context, w *Window, models Models) error {
	if w.Parts != nil {
		return a.Target.Apply(ctx, w, models, true)
	}
	one := Window{Before: w.Before, Model: w.Model}
	for i := range w.Blocks {
		one.Blocks = w.Blocks[i : i+1]
		if err := a.Target.Apply(ctx, &one, models, true); err != nil {
			return err
		}
		a.progress(one.After(), "streaming")
		one.Before, one.Model = one.After(), one.Blocks[0].Model
	}
	return nil
}

// applyGrowing applies a large block while it is being made. What it fails for is found out when it is stored, since till
// then it may be for want of what the log will have, or because of what will not be in the log at all. Nor is a block begun
// again that was not made: each time, what is rolled back is left behind in the replica's tables.
func (a *Applier) applyGrowing(ctx context.Context, w *Window, models Models) error {
	err := a.Target.Apply(ctx, w, models, false)
	if err == nil || !retryInOrder(err) {
		return err
	}
	a.stored = w.Blocks[0].Seq
	return &unmadeError{err}
}

// retryInOrder says whether another way to apply the window may do better.
func retryInOrder(err error) bool {
	return !unreachable(err) && !blocked(err) && !errors.Is(err, context.Canceled)
}

func (a *Applier) at() change.Position {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.position
}

func (a *Applier) isStreaming() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.state == "streaming"
}

// progress notes a position. A replica that stood still is not taken for mended before
// it streams: another attempt alone changes nothing.
func (a *Applier) progress(p change.Position, state string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.position = p
	a.reader.Passed(p.Seq)
	if a.problem != "" && state != "streaming" {
		return
	}
	if a.problem != "" {
		a.Log.Info("replica goes on", "replica", a.Name, "seq", p.Seq)
		a.problem = ""
	}
	a.state = state
}

func (a *Applier) set(state string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.problem == "" {
		a.state = state
	}
}

// fail keeps and logs the reason for standing still, once for each reason.
func (a *Applier) fail(ctx context.Context, err error) {
	reason := err.Error()
	state := "stopped"
	var lock *Blocked
	switch {
	case unreachable(err):
		state = "unreachable"
	case errors.As(err, &lock) && lock.Evolving:
		state = "evolving"
	case lock != nil:
		state = "catching_up"
	}
	a.mu.Lock()
	known := a.problem == reason
	a.state, a.problem = state, reason
	a.mu.Unlock()
	switch {
	case known:
	case lock != nil:
		a.Log.Warn("replica waits for a lock", "replica", a.Name, "state", state, "reason", reason)
	default:
		a.Log.Error("replica stands still", "replica", a.Name, "state", state, "error", reason)
	}
	if errors.Is(err, ErrTaken) {
		return
	}
	// What fails here is tried again with the next failure.
	a.soon(ctx, func(ctx context.Context) {
		conn, err := a.Master(ctx)
		if err != nil {
			return
		}
		defer conn.Close(context.WithoutCancel(ctx))
		a.tell(ctx, conn, a.at(), false)
	})
	if state != "stopped" {
		return
	}
	a.soon(ctx, func(ctx context.Context) {
		if err := a.Target.Stopped(ctx, reason); err != nil && !known {
			a.Log.Warn("the reason can not be kept on the replica", "replica", a.Name, "error", err)
		}
	})
}

// soon gives f a few seconds.
func (a *Applier) soon(ctx context.Context, f func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	f(ctx)
}

// maxModels is how many models are kept. That of a database of thousands of tables takes megabytes, and a window rarely spans more than two.
const maxModels = 4

// modelCache loads models over one connection to the master, which it shares with the
// reporter, and which is opened again when it was lost.
type modelCache struct {
	open  func(context.Context) (*pgx.Conn, error)
	mu    sync.Mutex // guards what follows
	conn  *pgx.Conn
	known []*change.Model // the one that was used last is the last

	expected []*change.Model // that the log does not have yet
}

// expect gives the models of a block that is being made.
func (c *modelCache) expect(models []*change.Model) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expected = models
}

// use calls f with the connection.
func (c *modelCache) use(ctx context.Context, f func(*pgx.Conn) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.with(ctx, f)
}

// with is use for who holds mu.
func (c *modelCache) with(ctx context.Context, f func(*pgx.Conn) error) error {
	if c.conn == nil || c.conn.IsClosed() {
		conn, err := c.open(ctx)
		if err != nil {
			return fmt.Errorf("connect to the master: %w", err)
		}
		c.conn = conn
	}
	return f(c.conn)
}

func (c *modelCache) Model(ctx context.Context, sum change.Checksum) (*change.Model, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := slices.IndexFunc(c.known, func(m *change.Model) bool { return m.Checksum() == sum }); i >= 0 {
		m := c.known[i]
		c.known = append(slices.Delete(c.known, i, i+1), m)
		return m, nil
	}
	for _, m := range c.expected {
		if m.Checksum() == sum {
			return m, nil
		}
	}
	var near, m *change.Model
	if len(c.known) > 0 {
		near = c.known[len(c.known)-1] // they follow each other, and have nearly everything in common
	}
	if err := c.with(ctx, func(conn *pgx.Conn) (err error) {
		m, err = commitlog.LoadModel(ctx, conn, sum, near)
		return err
	}); err != nil {
		return nil, err
	}
	if len(c.known) == maxModels {
		c.known = slices.Delete(c.known, 0, 1)
	}
	c.known = append(c.known, m)
	return m, nil
}

func (c *modelCache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.conn.Close(context.Background())
	}
}
