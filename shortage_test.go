package pgbridge

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

func TestShortageOfProcessors(t *testing.T) {
	for _, c := range []struct{ ran, waited, want float64 }{
		{100, 0, 0},
		{100, 200, 0},
		{100, 275, 0.5},
		{100, 350, 1},
		{100, 1000, 1},
		{0, 0, 1}, // it is not known
	} {
		if got := shareOf(c.ran, c.waited); got != c.want {
			t.Errorf("threads that ran for %g and waited for %g: %g, want %g", c.ran, c.waited, got, c.want)
		}
	}
}

func TestThreadTimes(t *testing.T) {
	dir := t.TempDir()
	write := func(task, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(dir, task), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, task, "schedstat"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := threadTimes(dir); err == nil {
		t.Error("no threads have times")
	}
	write("1", "1000 20 3\n")
	write("2", "4000 50 6\n")
	if ran, waited, err := threadTimes(dir); err != nil || ran != 5000 || waited != 70 {
		t.Errorf("ran %d, waited %d, %v; want 5000 and 70", ran, waited, err)
	}
	for _, text := range []string{"", "7", "x 1 2", "1 x 2"} {
		write("3", text)
		if _, _, err := threadTimes(dir); err == nil {
			t.Errorf("%q was understood", text)
		}
	}
	write("1", "0 0 0\n")
	write("2", "0 0 0\n")
	write("3", "0 0 0\n")
	if _, _, err := threadTimes(dir); err == nil {
		t.Error("a kernel that counts nothing is believed")
	}
}

func TestShortageIsKnownWhereTheKernelTells(t *testing.T) {
	if _, _, err := threadTimes("/proc/self/task"); err != nil {
		t.Skipf("%s: %v", runtime.GOOS, err)
	}
	s := newShortage()
	if s.now() != 1 {
		t.Errorf("%g before it is known, want 1", s.now())
	}
	s.set(-1)
	done := make(chan error, 1)
	go func() { done <- s.watch(t.Context()) }()
	for s.now() < 0 {
		select {
		case err := <-done:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
}
