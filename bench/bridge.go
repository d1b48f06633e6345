package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// build makes the binary that is measured.
func build(ctx context.Context, path string, flags ...string) error {
	args := append([]string{"build", "-o", path}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, "github.com/pgbridge/pgbridge/cmd/bridge")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the bridge: %w: %s", err, out)
	}
	return nil
}

// bridge is pgbridge, run as processes of its own.
type bridge struct {
	w        *world
	tapStays bool // the tap runs on in a process of its own while replicas are paused

	dir       string    // of the configuration and the logs
	tap       *exec.Cmd // in a process of its own; nil: it is not
	processes []*exec.Cmd
	peak      int64
}

func (b *bridge) carriesSchema() bool { return true }

// prepare writes the configuration and runs bridge init.
func (b *bridge) prepare(ctx context.Context) (err error) {
	if b.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "master:\n  url: %s\nreplicas:\n", b.w.master.URL(database))
	for i, r := range b.w.replicas {
		fmt.Fprintf(&text, "  - name: %s\n    url: %s\n", replicaName(i), r.URL(database))
	}
	if len(b.w.replicas) == 0 { // init wants one; nobody runs it
		fmt.Fprintf(&text, "  - name: none\n    url: %s\n", b.w.master.URL("none"))
	}
	if err := os.WriteFile(b.config(), []byte(text.String()), 0o600); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, b.w.binary, "init", "-c", b.config()).CombinedOutput(); err != nil {
		return fmt.Errorf("bridge init: %w: %s", err, out)
	}
	return nil
}

func replicaName(i int) string { return fmt.Sprintf("replica%d", i) }

func (b *bridge) config() string { return filepath.Join(b.dir, "bridge.yaml") }
func (b *bridge) log() string    { return filepath.Join(b.dir, "log") }

func (b *bridge) attach(ctx context.Context) error {
	if len(b.w.replicas) == 0 {
		return nil
	}
	if err := b.resume(ctx); err != nil {
		return err
	}
	for _, r := range b.w.replicas {
		if err := until(ctx, r.URL(database), "select exists (select from bridge.position where state = 'streaming')"); err != nil {
			return b.explain(err)
		}
	}
	return nil
}

func (b *bridge) pause(context.Context) (err error) {
	b.memory()
	if err := b.stop(b.processes...); err != nil {
		return err
	}
	b.processes = nil
	if b.tapStays && b.tap == nil {
		b.tap, err = b.run("tap")
	}
	return err
}

// resume runs everything in one process, or the replicas in one when the tap has its own.
func (b *bridge) resume(_ context.Context, replicas ...int) error {
	var roles []string
	if b.tap != nil {
		for _, i := range replicas {
			roles = append(roles, "replica="+replicaName(i))
		}
	}
	p, err := b.run(roles...)
	if err == nil {
		b.processes = append(b.processes, p)
	}
	return err
}

// run starts a bridge with these roles; none: all of them.
func (b *bridge) run(roles ...string) (*exec.Cmd, error) {
	log, err := os.OpenFile(b.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := []string{"run", "-c", b.config()}
	for _, r := range roles {
		args = append(args, "--role", r)
	}
	cmd := exec.Command(b.w.binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("bridge run: %w", err)
	}
	return cmd, nil
}

// stop ends processes in order.
func (b *bridge) stop(processes ...*exec.Cmd) error {
	var errs []error
	for _, p := range processes {
		errs = append(errs, b.stopOne(p))
	}
	return errors.Join(errs...)
}

func (b *bridge) stopOne(p *exec.Cmd) error {
	const patience = 30 * time.Second
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(fmt.Errorf("stop the bridge: %w", err), p.Wait())
	}
	kill := time.AfterFunc(patience, func() { p.Process.Kill() })
	defer kill.Stop()
	if err := p.Wait(); err != nil {
		return b.explain(fmt.Errorf("bridge run: %w", err))
	}
	return nil
}

// running are all processes of the moment.
func (b *bridge) running() []*exec.Cmd {
	if b.tap == nil {
		return b.processes
	}
	return append([]*exec.Cmd{b.tap}, b.processes...)
}

// memory counts processes of one time together.
func (b *bridge) memory() int64 {
	var sum int64
	for _, p := range b.running() {
		if n, err := peakMemory(p.Process.Pid); err == nil { // one that has ended says so when it is stopped
			sum += n
		}
	}
	b.peak = max(b.peak, sum)
	return b.peak
}

func (b *bridge) end() error {
	err := b.stop(b.running()...)
	b.tap, b.processes = nil, nil
	if b.dir != "" {
		err = errors.Join(err, os.RemoveAll(b.dir))
	}
	return err
}

// explain adds the end of the bridge's log to an error.
func (b *bridge) explain(err error) error {
	text, _ := os.ReadFile(b.log()) // without it the error says less
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return fmt.Errorf("%w; the bridge's log ends:\n%s", err, strings.Join(lines[max(0, len(lines)-5):], "\n"))
}

// stored returns when the transaction is in the sync table.
func (b *bridge) stored(ctx context.Context, xid int64) error {
	return until(ctx, b.w.master.URL(database), "select exists (select from bridge.commit_block where xid = $1 and seq > (select max(seq) - 10 from bridge.commit_block))", xid)
}
