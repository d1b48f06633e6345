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

	dir       string // of the configuration and the logs
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
	if err := b.run(); err != nil {
		return err
	}
	for _, r := range b.w.replicas {
		if err := until(ctx, r.URL(database), "select exists (select from bridge.position where state = 'streaming')"); err != nil {
			return b.explain(err)
		}
	}
	return nil
}

func (b *bridge) pause(context.Context) error {
	if err := b.stop(); err != nil {
		return err
	}
	if b.tapStays {
		return b.run("tap")
	}
	return nil
}

func (b *bridge) resume(_ context.Context, replicas ...int) error {
	if !b.tapStays {
		return b.run()
	}
	var roles []string
	for _, i := range replicas {
		roles = append(roles, "replica="+replicaName(i))
	}
	return b.run(roles...)
}

// run starts a bridge with these roles; none: all of them.
func (b *bridge) run(roles ...string) error {
	log, err := os.OpenFile(b.log(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"run", "-c", b.config()}
	for _, r := range roles {
		args = append(args, "--role", r)
	}
	cmd := exec.Command(b.w.binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("bridge run: %w", err)
	}
	b.processes = append(b.processes, cmd)
	return nil
}

// stop ends all processes in order, and notes what they needed.
func (b *bridge) stop() error {
	var errs []error
	b.memory()
	for _, p := range b.processes {
		errs = append(errs, b.stopOne(p))
	}
	b.processes = nil
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

// memory counts processes of one time together.
func (b *bridge) memory() int64 {
	var sum int64
	for _, p := range b.processes {
		if n, err := peakMemory(p.Process.Pid); err == nil { // one that has ended says so when it is stopped
			sum += n
		}
	}
	b.peak = max(b.peak, sum)
	return b.peak
}

func (b *bridge) end() error {
	err := b.stop()
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
