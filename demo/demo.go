// Package demo shows a whole system at work on this machine: a master and its replicas, a bridge between them, a
// live workload, and accidents in the middle of it. It ends with a proof that all servers hold the same data.
//
// When Run has returned, no server of it runs any more, and no file is left unless a directory was named.
package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pgbridge/pgbridge/pgserver"
)

// Options say what is shown, and where. The zero value of everything but Out is usable.
type Options struct {
	Replicas int           // 1 to MaxReplicas; 0: DefaultReplicas, or as many as Dir has
	Dir      string        // keeps the data; empty: a temporary directory, which is removed
	Duration time.Duration // of the workload; 0: DefaultDuration

	// Finish ends the workload early when it is closed; the proof follows.
	Finish <-chan struct{}

	Out io.Writer
	// Size is the terminal's that Out is: columns and rows. Without it, Out gets plain lines.
	Size  func() (width, height int)
	Color bool

	Program string // how the bridge is called, for the hints; empty: bridge
}

const (
	DefaultReplicas = 2
	MaxReplicas     = 8
	DefaultDuration = time.Minute
)

// OptionError says that the demo can not be had with these options. Nothing was started.
type OptionError struct{ Err error }

func (e *OptionError) Error() string { return e.Err.Error() }
func (e *OptionError) Unwrap() error { return e.Err }

func refuse(format string, args ...any) error { return &OptionError{fmt.Errorf(format, args...)} }

var (
	// ErrDiffer says that a replica does not hold the data of the master. The proof names what differs.
	ErrDiffer = errors.New("not all servers hold the same data")
	// ErrInterrupted says that the demo was ended before it had anything to prove.
	ErrInterrupted = errors.New("ended before there was anything to see")
)

func (o *Options) complete() error {
	var errs []error
	if o.Replicas < 0 || o.Replicas > MaxReplicas {
		errs = append(errs, fmt.Errorf("%d replicas: want 1 to %d", o.Replicas, MaxReplicas))
	}
	if o.Duration < 0 {
		errs = append(errs, fmt.Errorf("a duration of %s: want more than 0", o.Duration))
	}
	if err := errors.Join(errs...); err != nil {
		return &OptionError{err}
	}
	o.Duration = cmp.Or(o.Duration, DefaultDuration)
	o.Program = cmp.Or(o.Program, "bridge")
	return nil
}

// Run shows the demo and returns when it is over: after the duration, or after Finish, with nil if all servers hold
// the same data. When ctx ends, it is broken off, without a proof.
func Run(ctx context.Context, o Options) error {
	if err := o.complete(); err != nil {
		return err
	}
	d, err := openDirectory(o.Dir, o.Replicas)
	if err != nil {
		return err
	}
	err = run(ctx, o, d)
	if left := d.close(); left != nil {
		return errors.Join(err, left)
	}
	fmt.Fprintf(o.Out, "\n%s\n", d.farewell(o.Program))
	return err
}

// run is Run in a directory. When it returns, nothing of the demo runs any more.
func run(ctx context.Context, o Options, d *directory) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ui := newDisplay(o, func(err error) { cancel(fmt.Errorf("write to the terminal: %w", err)) })
	s, err := newSystem(d, ui)
	if err != nil {
		return err
	}
	defer func() {
		ui.close()
		err = errors.Join(err, s.close())
	}()
	running, finish := context.WithCancel(ctx)
	defer finish()
	go func() {
		select {
		case <-o.Finish:
			finish()
		case <-running.Done():
		}
	}()
	if err := s.prepare(running); err != nil {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case running.Err() != nil:
			return ErrInterrupted
		}
		return err
	}
	s.invite(o)
	return s.show(ctx, running, o.Duration)
}

// show runs bridge, workload and story until running ends or the time is over, and proves the end. When ctx ends, it
// is broken off.
func (s *system) show(ctx, running context.Context, duration time.Duration) error {
	began := time.Now()
	running, stop := context.WithTimeout(running, duration)
	defer stop()
	w := newWorkload(s.master.url(), s.ui.event)
	if err := w.start(ctx); err != nil {
		return err
	}
	defer w.stop()
	s.startBridge()
	defer s.stopBridge()
	watch := newWatcher(s, w, began, duration)
	watch.start(ctx)
	defer watch.stop()

	story{s, w, watch}.tell(running, began.Add(duration))
	<-running.Done()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if time.Since(began) < duration {
		s.ui.event("the demo ends early, as you asked; again, and it ends without the proof")
	}
	w.stop()
	s.ui.event("the workload has ended: %s transactions, %d failed", grouped(w.done.Load()), w.failed.Load())
	if err := s.mend(ctx); err != nil {
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	watch.stop()
	if s.ui.size != nil {
		s.ui.show(watch.look(ctx)) // the picture that stays
	}
	s.ui.close()
	return s.prove(ctx)
}

// settlePatience is how long replicas may take to catch up at the end.
const settlePatience = 5 * time.Minute

// settle returns when every replica shows all that was committed.
func (s *system) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	began := time.Now()
	if err := s.bridge.Wait(ctx); err != nil {
		return fmt.Errorf("wait for the replicas: %w", err)
	}
	s.ui.event("every replica shows the last of them, %s later", seconds(time.Since(began)))
	return nil
}

// newSystem looks for the servers' binaries, of the version that the directory's data has.
func newSystem(d *directory, ui *display) (*system, error) {
	install, err := pgserver.Find(d.note.Postgres)
	if err != nil {
		return nil, err
	}
	s := &system{dir: d, ui: ui, install: install}
	s.master = &node{name: masterName}
	for _, name := range d.note.Replicas {
		s.replicas = append(s.replicas, &node{name: name})
	}
	return s, nil
}
