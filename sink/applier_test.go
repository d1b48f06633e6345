package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
)

// fakeTarget notes what it is asked for.
type fakeTarget struct {
	Target  // what is not faked panics
	applied []string
	fail    map[int64]error // of the window that ends with this block
	stopped []string
	closed  int
}

func (f *fakeTarget) Apply(_ context.Context, w *Window, _ Models, inOrder bool) error {
	if err := f.fail[w.After().Seq]; err != nil {
		return err
	}
	f.applied = append(f.applied, fmt.Sprintf("%d-%d behind %d under %x, in order %v", w.Blocks[0].Seq, w.After().Seq, w.Before.Seq, w.Model[0], inOrder))
	return nil
}

func (f *fakeTarget) Stopped(_ context.Context, reason string) error {
	f.stopped = append(f.stopped, reason)
	return nil
}

func (f *fakeTarget) Close() { f.closed++ }

func testApplier(target Target, master func(context.Context) (*pgx.Conn, error)) (*Applier, *bytes.Buffer) {
	var log bytes.Buffer
	return &Applier{
		Name: "r1", Kind: "fake", Target: target, Master: master, Limits: Limits{Blocks: 10, Bytes: 1000},
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	}, &log
}

// A master that is gone is asked again, at first soon, then every few seconds; the
// reason is logged once.
func TestFailuresAreTriedAgainAtAPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &fakeTarget{}
		var attempts []time.Duration
		began := time.Now()
		gone := errors.New("connection refused")
		a, log := testApplier(target, func(context.Context) (*pgx.Conn, error) {
			attempts = append(attempts, time.Since(began))
			return nil, gone
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		end := errors.New("the end")
		time.AfterFunc(time.Minute, func() { cancel(end) })
		if err := a.Run(ctx); !errors.Is(err, end) {
			t.Errorf("Run ends with %v, want what ended the context", err)
		}
		// Every failure also looks for the master to tell it.
		if n := len(attempts); n < 2*15 || n > 2*20 {
			t.Errorf("%d attempts in a minute: %v", n, attempts)
		}
		for i := 2; i < len(attempts); i += 2 {
			pause := attempts[i] - attempts[i-2]
			if want := min(retryFirst<<(i/2-1), retryLast); pause != want {
				t.Errorf("pause %d is %s, want %s", i/2, pause, want)
			}
		}
		if got := strings.Count(log.String(), "replica stands still"); got != 1 {
			t.Errorf("it is said %d times, want once:\n%s", got, log)
		}
		if a.state != "stopped" || a.problem != "connect to the master: connection refused" {
			t.Errorf("state %q, problem %q", a.state, a.problem)
		}
		if target.closed == 0 {
			t.Error("the target was not closed")
		}
	})
}

func TestReasonsAreToldOnce(t *testing.T) {
	target := &fakeTarget{}
	a, log := testApplier(target, func(context.Context) (*pgx.Conn, error) { return nil, errors.New("gone") })
	one, two := errors.New("reason one"), &Unreachable{errors.New("reason two")}
	for _, err := range []error{one, one, two, two, one, fmt.Errorf("open: %w", ErrTaken)} {
		a.fail(t.Context(), err)
	}
	if got := strings.Count(log.String(), "\n"); got != 4 {
		t.Errorf("%d lines, want 4:\n%s", got, log)
	}
	if got, want := strings.Join(target.stopped, ", "), "reason one, reason one, reason one"; got != want {
		t.Errorf("kept on the replica: %s, want %s: one that can not be reached, or that is another's, is not asked", got, want)
	}
	log.Reset()
	a.progress(change.Position{Seq: 5}, "catching_up")
	if a.problem == "" {
		t.Error("another attempt is taken for mended")
	}
	a.progress(change.Position{Seq: 6}, "streaming")
	if a.problem != "" || a.state != "streaming" || !strings.Contains(log.String(), "replica goes on") {
		t.Errorf("problem %q, state %s, log %s", a.problem, a.state, log)
	}
	log.Reset()
	a.progress(change.Position{Seq: 7}, "streaming")
	if log.Len() > 0 {
		t.Errorf("what goes well is logged: %s", log)
	}
}

func TestRetryInOrder(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&Mismatch{Reason: "duplicate key"}, true},
		{fmt.Errorf("apply: %w", &Mismatch{}), true},
		{&Unreachable{errors.New("connection reset")}, false},
		{fmt.Errorf("apply: %w", &Unreachable{errors.New("connection reset")}), false},
		{context.Canceled, false},
	} {
		if got := retryInOrder(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

// In order, every block is a window, chained to the one before, up to the first that fails.
func TestApplyInOrder(t *testing.T) {
	blocks := chain("one", "two", "three")
	w := &Window{Before: anchor, Model: change.Checksum{0xaa}}
	for i := range blocks {
		blocks[i].Model[0] = byte(i + 1)
		w.Blocks = append(w.Blocks, Block{Block: blocks[i]})
	}
	target := &fakeTarget{}
	a, _ := testApplier(target, nil)
	if err := a.applyInOrder(t.Context(), w, nil); err != nil {
		t.Fatal(err)
	}
	want := "8-8 behind 7 under aa, in order true; 9-9 behind 8 under 1, in order true; 10-10 behind 9 under 2, in order true"
	if got := strings.Join(target.applied, "; "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if a.at() != blocks[2].Position() {
		t.Errorf("position %s, want %s", a.at(), blocks[2].Position())
	}

	broken := errors.New("does not fit")
	target = &fakeTarget{fail: map[int64]error{9: broken}}
	a, _ = testApplier(target, nil)
	if err := a.applyInOrder(t.Context(), w, nil); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	if len(target.applied) != 1 || a.at() != blocks[0].Position() {
		t.Errorf("applied %v, position %s", target.applied, a.at())
	}
}

func TestMismatchSaysWhereAndWhat(t *testing.T) {
	for _, c := range []struct {
		mismatch Mismatch
		want     string
	}{
		{Mismatch{Replica: "r1", Seq: 5, Reason: "why"}, "block 5 does not fit replica r1: why"},
		{Mismatch{Replica: "r1", Seq: 5, Table: "public.t", Key: "id=1", Reason: "why", Remedy: "do this"},
			"block 5 does not fit replica r1: table public.t, key id=1: why; do this"},
	} {
		if got := c.mismatch.Error(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// What a block that is being made fails for is found out when it is stored, but what is wrong with a server is known at once.
func TestApplyGrowing(t *testing.T) {
	for _, c := range []struct {
		name   string
		err    error
		quiet  bool
		stored int64
	}{
		{"it fits", nil, false, 0},
		{"its rows do not fit", &Mismatch{Reason: "duplicate key"}, true, 8},
		{"the replica is away", &Unreachable{errors.New("connection reset")}, false, 0},
		{"someone holds a lock", &Blocked{Err: errors.New("lock timeout")}, false, 0},
		{"it is not made", fmt.Errorf("part 3: %w", commitlog.ErrUnmade), true, 8},
	} {
		w := &Window{Before: anchor, Model: change.Checksum{0xaa}, Blocks: []Block{{Block: chain("one")[0]}}, Growing: true}
		a, _ := testApplier(&fakeTarget{fail: map[int64]error{8: c.err}}, nil)
		err := a.applyGrowing(t.Context(), w, nil)
		var unmade *unmadeError
		if !errors.Is(err, c.err) || errors.As(err, &unmade) != c.quiet || a.stored != c.stored {
			t.Errorf("%s: got %v, waits for block %d to be stored", c.name, err, a.stored)
		}
	}
}

func TestExpectedModelsAreNotLookedUp(t *testing.T) {
	gone := errors.New("connection refused")
	models := &modelCache{open: func(context.Context) (*pgx.Conn, error) { return nil, gone }}
	m := change.NewModel()
	models.expect([]*change.Model{m})
	if got, err := models.Model(t.Context(), m.Checksum()); got != m || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
	models.expect(nil)
	if _, err := models.Model(t.Context(), m.Checksum()); !errors.Is(err, gone) {
		t.Errorf("behind the block: got %v, want %v", err, gone)
	}
}

func TestRestBehindWindowsOfSeveralBlocks(t *testing.T) {
	for _, c := range []struct {
		blocks     int
		took       time.Duration
		short      float64
		want       time.Duration
		unknowable bool
	}{
		{blocks: 1, took: time.Millisecond, short: 1, want: 0},
		{blocks: restFrom - 1, took: time.Millisecond, short: 1, want: 0},
		{blocks: restFrom, took: time.Millisecond, short: 1, want: 2 * time.Millisecond},
		{blocks: restFrom, took: time.Millisecond, want: 2 * time.Millisecond, unknowable: true},
		{blocks: restFrom, took: 3 * time.Millisecond, short: 0, want: restLeast},
		{blocks: restFrom, took: 3 * time.Millisecond, short: 0.5, want: 3 * time.Millisecond},
		{blocks: restTo - 1, took: time.Minute, short: 1, want: restMost},
		{blocks: restTo, took: time.Millisecond, short: 1, want: 0}, // a backlog
	} {
		a := &Applier{}
		if !c.unknowable {
			a.Shortage = func() float64 { return c.short }
		}
		if got := a.rest(&Window{Blocks: make([]Block, c.blocks)}, c.took); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
