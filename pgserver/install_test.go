package pgserver_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pgbridge/pgbridge/pgserver"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

func TestFindPrefersTheSystem(t *testing.T) {
	in := pgtest.Install(t, 0)
	same, err := pgserver.Find(in.Major)
	if err != nil {
		t.Fatal(err)
	}
	if same != in {
		t.Fatalf("Find(%d) = %+v, want %+v as Find(0)", in.Major, same, in)
	}
	if in.Major < pgserver.MinMajor || in.Major > pgserver.MaxMajor {
		t.Fatalf("Find(0) = %s, want a supported version", in)
	}
}

func TestFindSaysWhereItLooked(t *testing.T) {
	t.Setenv("PGBRIDGE_CACHE", t.TempDir())
	for major := pgserver.MinMajor; major <= pgserver.MaxMajor; major++ {
		_, err := pgserver.Find(major)
		if err == nil {
			continue
		}
		if !errors.Is(err, pgserver.ErrNotInstalled) {
			t.Fatalf("Find(%d): %v, want ErrNotInstalled", major, err)
		}
		for _, want := range []string{"/usr/lib/postgresql/*/bin", "PATH", pgserver.CacheDir(), "apt-get install postgresql-"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("Find(%d): %q, want %q in it", major, err, want)
			}
		}
	}
	if _, err := pgserver.Find(9); err == nil || !strings.Contains(err.Error(), "supported are 14 to 18") {
		t.Fatalf("Find(9): %v, want it to say what is supported", err)
	}
}

func TestToolIsFoundForDownloadedServers(t *testing.T) {
	in := pgtest.Install(t, 0)
	in.Bin = t.TempDir()
	path, err := in.Tool("initdb")
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Base(path) != "initdb" {
		t.Fatalf("Tool = %s, want an initdb", path)
	}
	if _, err := in.Tool("no-such-program"); err == nil {
		t.Fatal("a program that does not exist was found")
	}
}

func TestFetchOnceForManyAndStart(t *testing.T) {
	if testing.Short() {
		t.Skip("downloads a server")
	}
	if _, err := exec.LookPath("npm"); err != nil && os.Getenv("PGBRIDGE_REQUIRE_POSTGRES") == "" {
		t.Skipf("NOT TESTED, needs npm: %v", err)
	}
	cache, err := pgserver.TempDir("pgserver-cache-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(cache) })
	t.Setenv("PGBRIDGE_CACHE", cache)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()

	const major = 14
	var all sync.WaitGroup
	installs := make([]pgserver.Install, 3)
	for n := range installs {
		all.Go(func() {
			var err error
			if installs[n], err = pgserver.Fetch(ctx, major); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	for _, in := range installs {
		if in != installs[0] || in.Major != major || !in.Cached || !strings.HasPrefix(in.Bin, cache) {
			t.Fatalf("Fetch = %+v, want version %d in %s, alike for all", in, major, cache)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(cache, "*.tmp")); len(left) != 0 {
		t.Fatalf("left behind: %v", left)
	}
	t.Setenv("PATH", "") // nothing is downloaded any more, so no npm is needed
	if _, err := pgserver.Fetch(ctx, major); err != nil {
		t.Fatalf("fetch again: %v", err)
	}
	srv := pgtest.ForTest(t, pgtest.With(installs[0]))
	do(t, srv, "create extension hstore") // contrib comes along
}

func TestFetchSaysThatNpmIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	cache, err := pgserver.TempDir("pgserver-cache-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(cache) })
	t.Setenv("PGBRIDGE_CACHE", cache)
	_, err = pgserver.Fetch(t.Context(), 14)
	if err == nil || !strings.Contains(err.Error(), "npm is needed") {
		t.Fatalf("Fetch without npm: %v, want it to say so", err)
	}
}

func TestFetchOfAnUnknownVersion(t *testing.T) {
	if _, err := pgserver.Fetch(t.Context(), 12); err == nil || !strings.Contains(err.Error(), "no package") {
		t.Fatalf("Fetch(12): %v, want it to say that there is no package", err)
	}
}
