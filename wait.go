package pgbridge

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/decoder"
	"github.com/pgbridge/pgbridge/master"
)

// Wait returns when the replicas, or all of the configuration if none is named, show
// everything that was committed on the master when it was called. A replica that
// stands still is waited for, since it may be mended; when ctx ends, the error is a
// *BehindError that names every replica that is behind.
func (b *Bridge) Wait(ctx context.Context, replicas ...string) error {
	w, err := b.newWaiter(ctx, replicas)
	if err != nil {
		return err
	}
	defer w.close()
	return w.wait(ctx)
}

// BehindError says what a wait was waiting for when its time was over.
type BehindError struct {
	Waited  time.Duration
	Target  change.Position // zero: the tap had not come so far
	Tap     string          // where the tap was, if it is what was waited for
	Behind  []BehindReplica
	context error
}

// BehindReplica is a replica that does not show what was waited for.
type BehindReplica struct {
	Name     string
	State    string // empty: it has not begun
	Position change.Position
	Problem  string
}

func (e *BehindError) Error() string {
	if e.Target.Epoch == 0 {
		return fmt.Sprintf("not done after %s: %s", e.Waited.Round(100*time.Millisecond), e.Tap)
	}
	list := make([]string, len(e.Behind))
	for i, r := range e.Behind {
		list[i] = r.String()
	}
	return fmt.Sprintf("not at block %d after %s: %s", e.Target.Seq, e.Waited.Round(100*time.Millisecond), strings.Join(list, "; "))
}

func (e *BehindError) Unwrap() error { return e.context }

func (r BehindReplica) String() string {
	s := "replica " + r.Name
	switch {
	case r.State == "":
		s += " has not begun"
	case r.State == StateUnreachable:
		s += " is unreachable"
	case r.Problem != "":
		s += fmt.Sprintf(" stands still at block %d", r.Position.Seq)
	default:
		s += fmt.Sprintf(" is %s at block %d", strings.ReplaceAll(r.State, "_", " "), r.Position.Seq)
	}
	if r.Problem != "" {
		s += ": " + r.Problem
	}
	return s
}

// Pace of looking again.
const (
	lookAgainFirst = 10 * time.Millisecond
	lookAgainLast  = 50 * time.Millisecond
	reconnectEvery = 500 * time.Millisecond
)

// waiter waits for replicas, any number of times, on connections of its own. Not for
// concurrent use.
type waiter struct {
	b        *Bridge
	master   *pgx.Conn
	replicas []*waitedFor
}

type waitedFor struct {
	BehindReplica
	conn  *pgx.Conn
	tried time.Time // to connect
}

func (b *Bridge) newWaiter(ctx context.Context, replicas []string) (*waiter, error) {
	if len(replicas) == 0 {
		for _, r := range b.Config.Replicas {
			replicas = append(replicas, r.Name)
		}
	}
	w := &waiter{b: b}
	for _, name := range replicas {
		w.replicas = append(w.replicas, &waitedFor{BehindReplica: BehindReplica{Name: name}})
	}
	conn, err := b.Connect(ctx, "")
	if err != nil {
		return nil, err
	}
	w.master = conn
	return w, nil
}

func (w *waiter) close() {
	closeSoon(w.master)
	for _, r := range w.replicas {
		if r.conn != nil {
			closeSoon(r.conn)
		}
	}
}

// wait is one wait, see Bridge.Wait. After an error of the master's the waiter can not
// be used again.
func (w *waiter) wait(ctx context.Context) error {
	started := time.Now()
	behind := &BehindError{}
	fail := func() error {
		behind.Waited, behind.context = time.Since(started), context.Cause(ctx)
		return behind
	}
	target, tap, err := w.target(ctx)
	if ctx.Err() != nil {
		behind.Tap = tap
		return fail()
	}
	if err != nil {
		return err
	}
	behind.Target = target
	left := append([]*waitedFor(nil), w.replicas...)
	for pause := lookAgainFirst; ; pause = min(2*pause, lookAgainLast) {
		var still []*waitedFor
		for _, r := range left {
			if !r.shows(ctx, w.b, target) {
				still = append(still, r)
			}
		}
		if left = still; len(left) == 0 {
			return nil
		}
		if !sleep(ctx, pause) {
			for _, r := range left {
				behind.Behind = append(behind.Behind, r.BehindReplica)
			}
			return fail()
		}
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// target returns a position of the log that covers all that is committed on the master
// now. PostgreSQL does not say where the last commit stands, so a marker is committed
// behind it, unless the tap has been that far already. When ctx ends first, tap says
// what it was waiting for.
func (w *waiter) target(ctx context.Context) (position change.Position, tap string, err error) {
	tap = "changes of the schema are to be captured yet, which bridge run does"
	if err := master.Captured(ctx, w.master); err != nil {
		return position, tap, err
	}
	tap = "the master did not answer"
	var now change.LSN
	if err := w.master.QueryRow(ctx, `select pg_catalog.pg_current_wal_insert_lsn()::text`).Scan(&now); err != nil {
		return position, tap, fmt.Errorf("ask for the master's position: %w", err)
	}
	marked := false
	for pause := lookAgainFirst; ; pause = min(2*pause, lookAgainLast) {
		// The order matters: what was confirmed is in the log before it is confirmed.
		confirmed, active, err := slotConfirmed(ctx, w.master, w.b.Config.Master.Slot)
		if err != nil {
			return position, tap, err
		}
		head, _, err := commitlog.Head(ctx, w.master)
		if err != nil {
			return position, tap, err
		}
		if head.LSN >= now || confirmed >= now {
			return head, "", nil
		}
		tap = fmt.Sprintf("the tap is at %s, the master's last commit is before %s", max(head.LSN, confirmed), now)
		if !active {
			tap += "; no bridge reads the slot: start bridge run"
		}
		if !marked {
			// Its own commit waits for no standby: the marker need not survive anything.
			if _, err := w.master.Exec(ctx, `set synchronous_commit = local`); err != nil {
				return position, tap, fmt.Errorf("mark the master's position in the log: %w", err)
			}
			if _, err := w.master.Exec(ctx, `select pg_catalog.pg_logical_emit_message(true, $1, 'wait')`, decoder.MarkerPrefix); err != nil {
				return position, tap, fmt.Errorf("mark the master's position in the log: %w", err)
			}
			marked = true
		}
		if !sleep(ctx, pause) {
			return position, tap, context.Cause(ctx)
		}
	}
}

// slotConfirmed is how far the log is durable as the slot knows it, and whether a bridge reads the slot.
func slotConfirmed(ctx context.Context, conn *pgx.Conn, slot string) (lsn change.LSN, active bool, err error) {
	err = conn.QueryRow(ctx, `
		select coalesce(confirmed_flush_lsn, '0/0')::text, active
		from pg_catalog.pg_replication_slots
		where slot_name = $1 and database = pg_catalog.current_database()`, slot).Scan(&lsn, &active)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, false, fmt.Errorf("replication slot %q is not there: run bridge init", slot)
	case err != nil:
		return 0, false, fmt.Errorf("look up replication slot %q: %w", slot, err)
	}
	return lsn, active, nil
}

// shows says whether the replica shows the position, and notes where it is. Whatever
// goes wrong may be over at the next look.
func (r *waitedFor) shows(ctx context.Context, b *Bridge, target change.Position) bool {
	if r.conn == nil {
		if time.Since(r.tried) < reconnectEvery {
			return false
		}
		r.tried = time.Now()
		conn, err := b.Connect(ctx, r.Name)
		if err != nil {
			if ctx.Err() == nil || r.State == "" {
				r.State, r.Problem = StateUnreachable, err.Error()
			}
			return false
		}
		r.conn = conn
	}
	var p change.Position
	var state, problem string
	err := r.conn.QueryRow(ctx, `select epoch, seq, commit_lsn::text, state, error from bridge.position`).
		Scan(&p.Epoch, &p.Seq, &p.LSN, &state, &problem)
	switch {
	case err == nil:
		r.State, r.Position, r.Problem = state, p, problem
		return p.Epoch == target.Epoch && p.Seq >= target.Seq && state == StateStreaming
	case errors.Is(err, pgx.ErrNoRows), isUndefined(err):
		r.State, r.Problem = "", "bridge run copies it first"
	case ctx.Err() == nil:
		r.State, r.Problem = StateUnreachable, err.Error()
	}
	if r.conn.IsClosed() {
		r.conn = nil
	}
	return false
}

// isUndefined says whether a table of ours is not there.
func isUndefined(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (pg.Code == "42P01" || pg.Code == "3F000")
}
