package itest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

// Promise 8, and what an idle bridge costs. The bridge is the real program here,
// without the race detector: what is measured is a process.

// program is a running bridge run.
type program struct {
	t   testing.TB
	cmd *exec.Cmd
}

// launch builds the bridge and runs it with the world's configuration.
func (w *world) launch() *program {
	w.t.Helper()
	dir := w.t.TempDir()
	binary := filepath.Join(dir, "bridge")
	build := exec.CommandContext(w.t.Context(), "go", "build", "-o", binary, "../cmd/bridge")
	if out, err := build.CombinedOutput(); err != nil {
		w.t.Fatalf("build the bridge: %v\n%s", err, out)
	}
	p := &program{t: w.t, cmd: exec.Command(binary, "run", "-c", w.writeConfig())}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		w.t.Fatal(err)
	}
	p.cmd.Stderr = log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		p.cmd.Process.Signal(syscall.SIGTERM)
		if err := p.cmd.Wait(); err != nil {
			w.t.Errorf("bridge run ended with %v", err)
		}
		log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && w.t.Failed() {
			w.t.Logf("its log:\n%s", text)
		}
	})
	return p
}

// peak is the most memory that the process ever held.
func (p *program) peak() int64 {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return kib << 10
		}
	}
	p.t.Fatal("no VmHWM in /proc")
	return 0
}

// cpu is the processor time that the process has used.
func (p *program) cpu() time.Duration {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	fields := strings.Fields(string(text)[strings.LastIndex(string(text), ")")+1:])
	ticks := int64(0)
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			p.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

const mib = 1 << 20

func TestMemoryOfALargeTransaction(t *testing.T) {
	t.Parallel()
	rows := 5_000_000
	if testing.Short() {
		rows = 300_000
	}
	w := newWorld(t, 0, 0, 1, pgtest.Setting("synchronous_commit", "off"), pgtest.Setting("max_wal_size", "8GB"))
	w.onMaster(`create table narrow (id int primary key, n int)`)
	w.init()
	p := w.launch()
	w.settle()
	t.Logf("settled: %d MiB", p.peak()/mib)
	w.onMaster(fmt.Sprintf(`insert into narrow select i, i from generate_series(1, %d) i`, rows))
	w.settle()
	t.Logf("after an insert of %d rows: %d MiB", rows, p.peak()/mib)
	w.onMaster(fmt.Sprintf(`update narrow set n = -n where id <= %d`, rows/10))
	w.settle()
	peak := p.peak()
	t.Logf("after an update of %d rows: %d MiB", rows/10, peak/mib)
	if peak > 256*mib {
		t.Errorf("bridge held %d MiB, want at most 256", peak/mib)
	}
	for i, url := range []string{w.master.URL("app"), w.replicas[0].URL("app")} {
		const sql = `select count(*) || ' ' || sum(n) from narrow`
		if got, want := w.query(url, sql)[0], w.query(w.master.URL("app"), sql)[0]; got != want {
			t.Errorf("server %d holds %s, want %s", i, got, want)
		}
	}
}

func TestMemoryOfStreaming(t *testing.T) {
	t.Parallel()
	seconds := 15
	if testing.Short() {
		seconds = 5
	}
	w := newWorld(t, 0, 0, 2)
	pgbench, err := w.master.Install().Tool("pgbench")
	if err != nil {
		t.Skipf("NOT TESTED, needs pgbench: %v", err)
	}
	bench := func(args ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		args = append(args, "-h", "127.0.0.1", "-p", strconv.Itoa(w.master.Port()), "-U", "postgres", "app")
		if out, err := exec.CommandContext(ctx, pgbench, args...).CombinedOutput(); err != nil {
			t.Fatalf("pgbench %v: %v\n%s", args, err, out)
		}
	}
	bench("-i", "-q", "-s", "5")
	w.init()
	p := w.launch()
	w.settle()
	t.Logf("copied: %d MiB", p.peak()/mib)
	bench("-c", "8", "-j", "2", "-T", strconv.Itoa(seconds))
	w.settle()
	peak := p.peak()
	t.Logf("after %d s of pgbench, %d blocks: %d MiB", seconds, w.lastBlock(), peak/mib)
	if peak > 64*mib {
		t.Errorf("bridge held %d MiB, want at most 64", peak/mib)
	}
	w.same()
}

// An idle bridge writes nothing, neither on the master nor on a replica, and does next
// to nothing.
func TestIdle(t *testing.T) {
	t.Parallel()
	length := time.Minute
	if testing.Short() {
		length = 10 * time.Second
	}
	quiet := []pgtest.Option{pgtest.Setting("autovacuum", "off"), pgtest.Setting("checkpoint_timeout", "1h")}
	w := newWorld(t, 0, 0, 1, quiet...)
	w.onMaster(`create table a (id int primary key); insert into a select generate_series(1, 1000)`)
	w.init()
	p := w.launch()
	w.settle()
	for _, sql := range []string{`alter system set autovacuum = off`, `alter system set checkpoint_timeout = '1h'`, `select pg_reload_conf()`} {
		w.onReplica(0, sql)
	}
	servers := []string{w.master.URL("app"), w.replicas[0].URL("app")}
	// PostgreSQL itself notes running transactions once more after the last change.
	position := func() string {
		return w.query(servers[0], "select pg_current_wal_insert_lsn()")[0] + " " + w.query(servers[1], "select pg_current_wal_insert_lsn()")[0]
	}
	at := position()
	w.eventually("both servers are quiet", func() bool {
		time.Sleep(length/3 + 6*time.Second) // the background writer looks every 15 s
		before := at
		at = position()
		return at == before
	})
	cpu := p.cpu()
	time.Sleep(length) // a measurement
	used := p.cpu() - cpu
	if now := position(); now != at {
		t.Errorf("WAL positions moved from %s to %s in %s of idleness", at, now, length)
	}
	t.Logf("idle for %s: %s of processor time (%.2f %%), WAL positions %s", length, used, 100*used.Seconds()/length.Seconds(), at)
	if used > length/100 {
		t.Errorf("idle bridge used %s in %s, want at most 1 %%", used, length)
	}
}
