package itest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/config"
)

// A part of the bridge that has to be killed by SIGKILL runs in a process of its own:
// the test binary itself, told by these variables what to run.
const (
	roleVariable   = "ITEST_BRIDGE"        // all, tap, replica=NAME, or tiny (see tinyApplier)
	configVariable = "ITEST_BRIDGE_CONFIG" // the configuration file
)

// bridgeMain is the main function of such a process. It ends when its standard input
// does, so that nothing is left when the test dies.
func bridgeMain() int {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c, err := config.Load(os.Getenv(configVariable))
	if err != nil {
		log.Error("configuration", "error", err)
		return 2
	}
	run, err := partOf(c, os.Getenv(roleVariable), log)
	if err != nil {
		log.Error("role", "error", err)
		return 2
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	err = run(ctx)
	if ctx.Err() != nil {
		return 0
	}
	log.Error("bridge ended", "error", err)
	return 1
}

func partOf(c *config.Config, name string, log *slog.Logger) (run func(context.Context) error, err error) {
	if name == "tiny" {
		a, err := tinyApplier(c, log)
		if err != nil {
			return nil, err
		}
		return a.Run, nil
	}
	if name == "all" {
		return func(ctx context.Context) error { return pgbridge.New(c, log).Run(ctx) }, nil
	}
	role, err := pgbridge.ParseRole(name)
	return func(ctx context.Context) error { return pgbridge.New(c, log).Run(ctx, role) }, err
}

// process is a part of the bridge that runs in an operating system process.
type process struct {
	t     testing.TB
	role  string
	log   string // file
	cmd   *exec.Cmd
	stdin io.Closer
	done  chan struct{}
	err   error // set when done is closed
}

// writeConfig writes the world's configuration to a file for other processes.
func (w *world) writeConfig() string {
	w.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "master:\n  url: %q\n  slot: %s\n  publication: %s\n", string(w.config.Master.URL), w.config.Master.Slot, w.config.Master.Publication)
	fmt.Fprintf(&b, "window:\n  transactions: %d\n  bytes: %dB\n  delay: %s\n", w.config.Window.Transactions, w.config.Window.Bytes, w.config.Window.Delay)
	b.WriteString("replicas:\n")
	for _, r := range w.config.Replicas {
		fmt.Fprintf(&b, "  - name: %s\n    url: %q\n", r.Name, string(r.URL))
	}
	path := filepath.Join(w.t.TempDir(), "bridge.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// spawn starts a part of the bridge in a process of its own.
func (w *world) spawn(role string) *process {
	w.t.Helper()
	p := &process{t: w.t, role: role, log: filepath.Join(w.t.TempDir(), "bridge.log")}
	p.start(w.writeConfig())
	w.t.Cleanup(func() {
		p.kill()
		if w.t.Failed() {
			w.t.Logf("the log of %s ends:\n%s", role, tail(p.log, 25))
		}
	})
	return p
}

func (p *process) start(configPath string) {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	p.cmd = exec.Command(self)
	p.cmd.Env = append(os.Environ(), roleVariable+"="+p.role, configVariable+"="+configPath, "GORACE=halt_on_error=1")
	p.cmd.Stderr = out
	if os.Getenv("ITEST_LOG") != "" {
		p.cmd.Stderr = os.Stderr
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	done := make(chan struct{})
	p.done = done
	go func() {
		p.err = p.cmd.Wait()
		close(done)
	}()
}

// kill ends the process by SIGKILL. That it had ended by itself fails the test.
func (p *process) kill() {
	p.t.Helper()
	if p.cmd == nil {
		return
	}
	select {
	case <-p.done:
		p.t.Errorf("%s ended by itself: %v", p.role, p.err)
	default:
		p.signal(syscall.SIGKILL)
		<-p.done
	}
	p.stdin.Close()
	p.cmd = nil
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("signal %s to %s: %v", sig, p.role, err)
	}
}

// again starts the process after it was ended.
func (w *world) again(p *process) {
	w.t.Helper()
	if p.cmd == nil {
		p.start(w.writeConfig())
	}
}

func tail(path string, lines int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimRight(string(b), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
