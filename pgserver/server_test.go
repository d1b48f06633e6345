package pgserver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pgbridge/pgbridge/pgserver"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

// helperVariable makes this test binary start a server, print its pid and directory, and wait to be killed.
const helperVariable = "PGSERVER_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperVariable) == "" {
		os.Exit(m.Run())
	}
	srv, err := pgserver.Start(context.Background(), pgserver.Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(srv.Pid(), srv.Dir())
	select {}
}

func TestStopKillAndRestartKeepWhatWasCommitted(t *testing.T) {
	for _, fsync := range []string{"on", "off"} {
		t.Run("fsync "+fsync, func(t *testing.T) {
			srv := pgtest.ForTest(t, pgtest.Setting("fsync", fsync))
			do(t, srv, "create table seen (n int)")
			ends := []struct {
				name string
				end  func(context.Context) error
			}{
				{"stop fast", func(ctx context.Context) error { return srv.Stop(ctx, pgserver.Fast) }},
				{"stop immediately", func(ctx context.Context) error { return srv.Stop(ctx, pgserver.Immediate) }},
				{"kill", srv.Kill},
				{"kill again", srv.Kill},
			}
			for n, e := range ends {
				do(t, srv, fmt.Sprintf("insert into seen values (%d)", n))
				pid, port := srv.Pid(), srv.Port()
				if err := e.end(t.Context()); err != nil {
					t.Fatalf("%s: %v", e.name, err)
				}
				if srv.Pid() != 0 || alive(pid) {
					t.Fatalf("after %s the postmaster %d is still there", e.name, pid)
				}
				if err := e.end(t.Context()); err != nil {
					t.Fatalf("%s, when it has ended: %v", e.name, err)
				}
				if err := srv.Start(t.Context()); err != nil {
					t.Fatalf("start after %s: %v", e.name, err)
				}
				if srv.Port() != port || srv.Pid() == pid {
					t.Fatalf("after %s: port %d and pid %d, want port %d and another pid", e.name, srv.Port(), srv.Pid(), port)
				}
				if got := count(t, srv, "seen"); got != n+1 {
					t.Fatalf("after %s %d rows, want %d", e.name, got, n+1)
				}
			}
			if err := srv.Start(t.Context()); err == nil {
				t.Fatal("a running server could be started, want an error")
			}
		})
	}
}

func TestKillUnderLoadLeavesNothing(t *testing.T) {
	srv := pgtest.ForTest(t)
	do(t, srv, "create table work as select g as n from generate_series(1, 100000) g")
	for range 4 {
		conn, err := pgx.Connect(t.Context(), srv.URL("postgres"))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			// Parallel workers share memory of their own; the connection breaks when the server is killed.
			conn.Exec(context.Background(), `
				set parallel_setup_cost = 0;
				set parallel_tuple_cost = 0;
				set min_parallel_table_scan_size = 0;
				select count(pg_sleep(0.001)) from work`)
			conn.Close(context.Background())
		}()
		t.Cleanup(func() { <-done })
	}
	time.Sleep(200 * time.Millisecond) // let the workers come; whatever they do by then must do
	segment := segmentOf(t, srv)
	if files := sharedFilesOf(t, srv); len(files) != 0 {
		t.Fatalf("the server has %v, want its shared memory in its directory", files)
	}
	if err := srv.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := processesOf(t, srv.Dir()); len(got) != 0 {
		t.Fatalf("after the kill there are still processes: %v", got)
	}
	dir := srv.Dir()
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	if err := srv.Close(); err != nil {
		t.Fatalf("close again: %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("after close %s is there (%v), want it gone", dir, err)
	}
	if segmentExists(t, segment) {
		t.Errorf("left behind: shared memory segment %s", segment)
	}
	if err := srv.Start(t.Context()); err == nil {
		t.Fatal("a closed server could be started, want an error")
	}
}

func TestPostmasterThatDiedByItselfCanBeRestarted(t *testing.T) {
	srv := pgtest.ForTest(t)
	if err := syscall.Kill(srv.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for srv.Pid() != 0 {
		time.Sleep(time.Millisecond)
	}
	if err := srv.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(t, srv, "select 1")
}

func TestTwoServersAtOnce(t *testing.T) {
	one, two := pgtest.ForTest(t), pgtest.ForTest(t)
	do(t, one, "create table only_in_one ()")
	if got := count(t, two, "pg_tables where tablename = 'only_in_one'"); got != 0 {
		t.Fatalf("the table of one server shows in the other")
	}
	if err := one.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	do(t, two, "select 1")
}

func TestServerHasItsOwnProcessGroup(t *testing.T) {
	srv := pgtest.ForTest(t)
	group, err := syscall.Getpgid(srv.Pid())
	if err != nil {
		t.Fatal(err)
	}
	if group != srv.Pid() {
		t.Fatalf("process group %d, want the postmaster's own, %d", group, srv.Pid())
	}
}

func TestUnixSocket(t *testing.T) {
	srv := pgtest.ForTest(t)
	conn, err := pgx.Connect(t.Context(), fmt.Sprintf("host=%s port=%d user=postgres dbname=postgres", srv.SocketDir(), srv.Port()))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close(t.Context())
}

func TestServerDoesNotOutliveItsProcess(t *testing.T) {
	pgtest.Install(t, 0)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperVariable+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err := errors.Join(err, cmd.Process.Kill()); err != nil {
		t.Fatalf("helper says %q: %v", line, err)
	}
	cmd.Wait() // it was killed
	var pid int
	var dir string
	if _, err := fmt.Sscan(line, &pid, &dir); err != nil {
		t.Fatalf("helper says %q: %v", line, err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	deadline := time.Now().Add(20 * time.Second)
	for len(processesOf(t, dir)) != 0 {
		if time.Now().After(deadline) {
			t.Fatalf("20s after the end of the process that started it, server %d still has %v", pid, processesOf(t, dir))
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "postmaster.pid")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("postmaster.pid is still there (%v), want an orderly end", err)
	}
}

func TestDirIsKeptAndUsedAgain(t *testing.T) {
	in := pgtest.Install(t, 0)
	base, err := pgserver.TempDir("pgserver-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	opts := pgserver.Options{
		Install:  in,
		Dir:      filepath.Join(base, strings.Repeat("deep/", 25), "server"), // too deep for a unix socket
		Keep:     true,
		User:     "ada lovelace",
		Settings: map[string]string{"fsync": "off", "application_name": `it's a \ "name"`},
	}
	for n := range 2 {
		srv, err := pgserver.Start(t.Context(), opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { srv.Close() })
		if srv.SocketDir() != "" {
			t.Fatalf("socket directory %s is too long", srv.SocketDir())
		}
		do(t, srv, "create table if not exists seen (n int)")
		do(t, srv, "insert into seen values (1)")
		if got := count(t, srv, "seen"); got != n+1 {
			t.Fatalf("%d rows, want %d", got, n+1)
		}
		if got := count(t, srv, `pg_settings where name = 'application_name' and reset_val = 'it''s a \ "name"'`); got != 1 {
			t.Fatal("the setting has not come through unchanged")
		}
		if err := srv.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	in := pgtest.Install(t, 0)
	other := pgtest.ForTest(t)
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		opts pgserver.Options
		want string
		root bool // only root has it
	}{
		{name: "unknown setting", opts: pgserver.Options{Settings: map[string]string{"no_such_setting": "1"}},
			want: `unrecognized configuration parameter "no_such_setting"`},
		{name: "port as a setting", opts: pgserver.Options{Settings: map[string]string{"port": "1"}}, want: "setting port"},
		{name: "port that is taken", opts: pgserver.Options{Port: other.Port()}, want: "the port is taken"},
		{name: "directory that the server cannot enter", opts: pgserver.Options{Dir: filepath.Join(closed, "x")},
			want: closed + " is drwx------", root: true},
		{name: "context that has ended", ctx: canceled, want: context.Canceled.Error()},
		{name: "bad argument for initdb", opts: pgserver.Options{InitdbArgs: []string{"--no-such"}}, want: "--no-such"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.root && os.Geteuid() != 0 {
				t.Skip("servers run as ourselves when we are not root")
			}
			ctx := t.Context()
			if c.ctx != nil {
				ctx = c.ctx
			}
			c.opts.Install = in
			srv, err := pgserver.Start(ctx, c.opts)
			if err == nil {
				srv.Close()
				t.Fatal("it started, want an error")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %q, want %q in it", err, c.want)
			}
		})
	}
	if entries, err := os.ReadDir(closed); err != nil || len(entries) != 0 {
		t.Fatalf("%s has %v (%v), want what Start made to be gone", closed, entries, err)
	}
}

func do(t *testing.T, srv *pgserver.Server, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), srv.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, srv *pgserver.Server, from string) int {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), srv.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var n int
	if err := conn.QueryRow(t.Context(), "select count(*) from "+from).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// processesOf lists the processes that have their working directory in the server's data; every server process has.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	if err != nil {
		t.Fatal(err)
	}
	var pids []string
	for _, l := range links {
		if cwd, err := os.Readlink(l); err == nil && strings.HasPrefix(cwd, dir) {
			pids = append(pids, filepath.Base(filepath.Dir(l)))
		}
	}
	return pids
}

// sharedFilesOf lists what the server's processes have in /dev/shm.
func sharedFilesOf(t *testing.T, srv *pgserver.Server) []string {
	t.Helper()
	var files []string
	for _, pid := range processesOf(t, srv.Dir()) {
		text, err := os.ReadFile(filepath.Join("/proc", pid, "maps"))
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "/dev/shm/") {
				files = append(files, line)
			}
		}
	}
	return files
}

// segmentOf returns the id of the server's System V shared memory.
func segmentOf(t *testing.T, srv *pgserver.Server) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(srv.Dir(), "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(strings.Split(string(text), "\n")[6])
	if !segmentExists(t, fields[1]) {
		t.Fatalf("shared memory segment %s is not there while the server runs", fields[1])
	}
	return fields[1]
}

func segmentExists(t *testing.T, id string) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == id {
			return true
		}
	}
	return false
}
