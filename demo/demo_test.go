package demo

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgbridge/pgbridge/pgserver"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

// output can be read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// needServers skips a test that starts some.
func needServers(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("NOT TESTED with -short: it starts servers")
	}
	pgtest.Install(t, 0)
}

// nothingRuns fails the test when a port of the demo answers, or a process has the directory in its command line.
func nothingRuns(t *testing.T, out, dir string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`127\.0\.0\.1:\d+`).FindAllString(out, -1) {
		if conn, err := net.Dial("tcp", m); err == nil {
			conn.Close()
			t.Errorf("something still listens on %s", m)
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range lines {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), dir) {
			t.Errorf("a process is left: %s", strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
}

var temporary = regexp.MustCompile(`/\S*/bridge-demo-\d+`)

func TestDemo(t *testing.T) {
	needServers(t)
	var out output
	if err := Run(t.Context(), Options{Replicas: 1, Duration: 5 * time.Second, Out: &out}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	text := out.String()
	for _, part := range []string{
		"psql 'postgres://", "replica eu was copied", "All equal: 2 servers", ", 0 failed", "Nothing is left behind",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("the output lacks %q:\n%s", part, text)
		}
	}
	dir := temporary.FindString(text)
	if _, err := os.Stat(dir); dir == "" || !os.IsNotExist(err) {
		t.Errorf("directory %q is left: %v", dir, err)
	}
	nothingRuns(t, text, dir)
}

// The data stays where it is asked to, and the next demo goes on with it, with another replica; ended early, it has
// its proof as well.
func TestDemoGoesOnInItsDirectory(t *testing.T) {
	needServers(t)
	dir, err := pgserver.TempDir("bridge-demo-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var first, second output
	if err := Run(t.Context(), Options{Replicas: 1, Dir: dir, Duration: time.Second, Out: &first}); err != nil {
		t.Fatalf("%v\n%s", err, first.String())
	}
	nothingRuns(t, first.String(), dir)

	finish := make(chan struct{})
	go func() {
		defer close(finish)
		for t.Context().Err() == nil && !strings.Contains(second.String(), "replica us was copied") {
			time.Sleep(20 * time.Millisecond)
		}
	}()
	if err := Run(t.Context(), Options{Replicas: 2, Dir: dir, Duration: 10 * time.Minute, Finish: finish, Out: &second}); err != nil {
		t.Fatalf("%v\n%s", err, second.String())
	}
	<-finish
	text := second.String()
	for _, part := range []string{"the shop is there already", "replica eu has its data from before", "All equal: 3 servers", "The data stays in " + dir} {
		if !strings.Contains(text, part) {
			t.Errorf("the output lacks %q:\n%s", part, text)
		}
	}
	nothingRuns(t, text, dir)

	var refused *OptionError
	if err := Run(t.Context(), Options{Replicas: 1, Dir: dir, Out: &output{}}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "2 replicas") {
		t.Errorf("fewer replicas than the directory has: %v, want a refusal that says so", err)
	}
}

func TestDemoBrokenOffLeavesNothing(t *testing.T) {
	needServers(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	var out output
	broken := errors.New("broken off")
	go func() {
		for t.Context().Err() == nil && !strings.Contains(out.String(), "the shop is open") {
			time.Sleep(20 * time.Millisecond)
		}
		cancel(broken)
	}()
	if err := Run(ctx, Options{Replicas: 1, Out: &out}); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v\n%s", err, broken, out.String())
	}
	dir := temporary.FindString(out.String())
	if _, err := os.Stat(dir); dir == "" || !os.IsNotExist(err) {
		t.Errorf("directory %q is left: %v", dir, err)
	}
	nothingRuns(t, out.String(), dir)
}

func TestRefusals(t *testing.T) {
	pgtest.Install(t, 0)
	base, err := pgserver.TempDir("bridge-demo-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("full/letter.txt", "dear Sir")
	write("torn/demo.json", `{"format": 1, "repl`)
	write("newer/demo.json", `{"format": 2}`)
	write("foreign/demo.json", `{"format": 1, "replicas": ["mars"]}`)
	for _, row := range []struct {
		name string
		o    Options
		want string
	}{
		{"too many replicas", Options{Replicas: 9}, "9 replicas: want 1 to 8"},
		{"a negative duration", Options{Duration: -time.Second}, "-1s"},
		{"a directory with something else", Options{Dir: filepath.Join(base, "full")}, "letter.txt"},
		{"a file", Options{Dir: filepath.Join(base, "full/letter.txt")}, "not a directory"},
		{"a directory that can not be made", Options{Dir: "/proc/demo"}, "/proc/demo"},
		{"a torn note", Options{Dir: filepath.Join(base, "torn")}, "can not be read"},
		{"a note of a newer program", Options{Dir: filepath.Join(base, "newer")}, "format 2"},
		{"a note of something else", Options{Dir: filepath.Join(base, "foreign")}, "mars"},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.o.Out = &output{}
			var refused *OptionError
			if err := Run(t.Context(), row.o); !errors.As(err, &refused) || !strings.Contains(err.Error(), row.want) {
				t.Errorf("error %v, want a refusal with %q", err, row.want)
			}
		})
	}
	t.Run("a directory in which another demo runs", func(t *testing.T) {
		d, err := openDirectory(filepath.Join(base, "taken"), 1)
		if err != nil {
			t.Fatal(err)
		}
		defer d.close()
		if _, err := openDirectory(d.path, 1); err == nil || !strings.Contains(err.Error(), "another demo") {
			t.Errorf("error %v, want one that names the other demo", err)
		}
	})
}
