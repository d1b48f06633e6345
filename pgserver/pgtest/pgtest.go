// Package pgtest gives tests real PostgreSQL servers and databases of their own.
// Without PostgreSQL on the machine tests are skipped, saying so; with PGBRIDGE_REQUIRE_POSTGRES=1 they fail instead.
//
// Servers run with fsync off: what a test kills is a process, not the machine. full_page_writes stays on all the same,
// as SIGKILL can tear a page in two while it is written.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pgbridge/pgbridge/pgserver"
)

const (
	requireVariable  = "PGBRIDGE_REQUIRE_POSTGRES"
	versionsVariable = "PGBRIDGE_POSTGRES_VERSIONS"
)

// patience bounds what a test waits for a server or a download, however slow the machine.
const patience = 3 * time.Minute

// Option changes what server ForTest starts.
type Option func(*pgserver.Options)

// Setting sets a parameter of postgresql.conf.
func Setting(name, value string) Option {
	return func(o *pgserver.Options) { o.Settings[name] = value }
}

// With uses these binaries, as Install returns them.
func With(in pgserver.Install) Option {
	return func(o *pgserver.Options) { o.Install = in }
}

// Install returns the binaries of a major version, downloading them if need be; 0 means the system's newest.
// Where there are none the test is skipped, or fails if PostgreSQL is required.
func Install(t testing.TB, major int) pgserver.Install {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	in, err := pgserver.Get(ctx, major)
	if err != nil {
		lacking(t, err)
	}
	return in
}

func lacking(t testing.TB, err error) {
	t.Helper()
	if required() {
		t.Fatalf("%s is set: %v", requireVariable, err)
	}
	t.Skipf("NOT TESTED, needs PostgreSQL: %v", err)
}

func required() bool {
	on, err := strconv.ParseBool(os.Getenv(requireVariable))
	return err == nil && on
}

// Versions returns the major versions to test with, ascending and at least one: those that PGBRIDGE_POSTGRES_VERSIONS
// names ("14,15,18"); or else the system's newest, and, unless with -short, those that can be downloaded.
// Without a download (no npm, no network) the test goes on with what is there and says so, unless PostgreSQL is required.
func Versions(t testing.TB) []int {
	t.Helper()
	if list := os.Getenv(versionsVariable); list != "" {
		var majors []int
		for word := range strings.SplitSeq(list, ",") {
			major, err := strconv.Atoi(strings.TrimSpace(word))
			if err != nil || major == 0 {
				t.Fatalf("%s=%q: want major versions with commas between", versionsVariable, list)
			}
			majors = append(majors, Install(t, major).Major)
		}
		slices.Sort(majors)
		return slices.Compact(majors)
	}

	var majors []int
	var missing []error
	system, err := pgserver.Find(0)
	if err == nil {
		majors = append(majors, system.Major)
	} else {
		missing = append(missing, err)
	}
	if !testing.Short() {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for _, major := range pgserver.Fetchable() {
			in, err := pgserver.Get(ctx, major)
			if err != nil {
				missing = append(missing, err)
				continue
			}
			majors = append(majors, in.Major)
		}
	}
	if err := errors.Join(missing...); err != nil {
		if required() || len(majors) == 0 {
			lacking(t, err)
		}
		t.Logf("NOT TESTED with these versions: %v", err)
	}
	slices.Sort(majors)
	return slices.Compact(majors)
}

// defaults leave room for many tests at once.
func defaults() map[string]string {
	return map[string]string{
		"fsync":                 "off",
		"max_connections":       "200",
		"max_wal_senders":       "64",
		"max_replication_slots": "64",
	}
}

// ForTest starts a server for one test, to be stopped, killed and restarted at will. It is gone when the test ends;
// the end of its log is printed when the test has failed.
func ForTest(t testing.TB, opts ...Option) *pgserver.Server {
	t.Helper()
	o := pgserver.Options{Settings: defaults()}
	for _, opt := range opts {
		opt(&o)
	}
	if o.Install.Bin == "" {
		o.Install = Install(t, 0)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	srv, err := pgserver.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s on port %d, its log ends:\n%s", srv.Install(), srv.Port(), srv.LogTail(30))
		}
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

// Main runs a package's tests and then closes the servers that Shared has started; it does not return:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
func Main(m *testing.M) {
	shared.ready(true)
	code := m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// shared is what the tests of one process have in common. testing offers no other place to keep it in.
var shared pool

type pool struct {
	mu      sync.Mutex
	open    bool // Main runs, and will close the servers
	servers map[int]*pgserver.Server
	made    int // databases made so far
}

func (p *pool) ready(open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open, p.servers = open, map[int]*pgserver.Server{}
}

func (p *pool) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = false
	var errs []error
	for _, major := range slices.Sorted(maps.Keys(p.servers)) {
		errs = append(errs, p.servers[major].Close())
	}
	return errors.Join(errs...)
}

// Shared returns the server of the system's newest version that the tests of this process share. They must not stop or
// kill it. Roles, replication slots and settings are common to the whole server: a test gives its own a name of its own.
// The package needs a TestMain that calls Main.
func Shared(t testing.TB) *pgserver.Server {
	t.Helper()
	return SharedVersion(t, 0)
}

// SharedVersion is Shared for a major version.
func SharedVersion(t testing.TB, major int) *pgserver.Server {
	t.Helper()
	in := Install(t, major)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if !shared.open {
		t.Fatal("a shared server needs: func TestMain(m *testing.M) { pgtest.Main(m) }")
	}
	if srv := shared.servers[in.Major]; srv != nil {
		if srv.Pid() == 0 {
			t.Fatalf("the shared %s does not run any more, its log ends:\n%s", in, srv.LogTail(30))
		}
		return srv
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	srv, err := pgserver.Start(ctx, pgserver.Options{Install: in, Settings: defaults()})
	if err != nil {
		t.Fatal(err)
	}
	shared.servers[in.Major] = srv
	return srv
}

// DB returns the URL of a fresh, empty database on the shared server. It is dropped when the test ends,
// with its connections and its replication slots.
func DB(t testing.TB) string {
	t.Helper()
	return NewDB(t, Shared(t))
}

// NewDB is DB on a given server. If the server does not run when the test ends, the database stays.
func NewDB(t testing.TB, srv *pgserver.Server) string {
	t.Helper()
	shared.mu.Lock()
	shared.made++
	name := databaseName(t.Name(), shared.made)
	shared.mu.Unlock()

	ident := pgx.Identifier{name}.Sanitize()
	if err := exec(t.Context(), srv, "create database "+ident+" template template0"); err != nil {
		t.Fatalf("create database %s: %v", name, err)
	}
	t.Cleanup(func() {
		if srv.Pid() == 0 {
			return
		}
		// t.Context has ended by now.
		if err := dropDB(context.Background(), srv, name); err != nil {
			t.Errorf("drop database %s: %v", name, err)
		}
	})
	return srv.URL(name)
}

// databaseName makes a test's name fit for a database, which has at most 63 bytes.
func databaseName(test string, n int) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '_'
	}, test)
	return fmt.Sprintf("%.50s_%d", clean, n)
}

// dropDB also drops the logical slots that stand in the way, ending who reads them.
func dropDB(ctx context.Context, srv *pgserver.Server, name string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, srv.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for {
		if _, err := conn.Exec(ctx, `
			select pg_terminate_backend(active_pid)
			from pg_replication_slots
			where database = $1 and active`, name); err != nil {
			return fmt.Errorf("end readers of slots: %w", err)
		}
		if _, err := conn.Exec(ctx, `
			select pg_drop_replication_slot(slot_name)
			from pg_replication_slots
			where database = $1 and not active`, name); err != nil {
			return fmt.Errorf("drop slots: %w", err)
		}
		var slots int
		if err := conn.QueryRow(ctx, `
			select count(*)
			from pg_replication_slots
			where database = $1`, name).Scan(&slots); err != nil {
			return fmt.Errorf("count slots: %w", err)
		}
		if slots == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond) // a reader that was told to end needs a moment; ctx bounds the loop
	}
	_, err = conn.Exec(ctx, "drop database if exists "+pgx.Identifier{name}.Sanitize()+" with (force)")
	return err
}

func exec(ctx context.Context, srv *pgserver.Server, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, srv.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}
