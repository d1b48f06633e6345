package pgtest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestDatabasesAreApartAndDropped(t *testing.T) {
	srv := pgtest.Shared(t)
	var urls []string
	for n := range 2 {
		t.Run(fmt.Sprintf("Test No. %d, with a name that is much longer than what a database may have", n), func(t *testing.T) {
			db := pgtest.DB(t)
			urls = append(urls, db)
			conn := connect(t, db)
			if _, err := conn.Exec(t.Context(), "create table only_here (n int)"); err != nil {
				t.Fatal(err)
			}
			// The slot would keep the database from being dropped.
			if _, err := conn.Exec(t.Context(), fmt.Sprintf("select pg_create_logical_replication_slot('s%d', 'pgoutput')", n)); err != nil {
				t.Fatal(err)
			}
		})
	}
	if urls[0] == urls[1] {
		t.Fatalf("both tests got %s", urls[0])
	}
	var left int
	if err := connect(t, srv.URL("postgres")).QueryRow(t.Context(), `
		select (select count(*) from pg_database where datname like 'test%')
			+ (select count(*) from pg_replication_slots)`).Scan(&left); err != nil {
		t.Fatal(err)
	}
	if left != 0 {
		t.Fatalf("%d databases and slots are left, want 0", left)
	}
	if again := pgtest.Shared(t); again != srv {
		t.Fatalf("shared server on port %d, want the one on %d", again.Port(), srv.Port())
	}
}

func TestForTestTakesSettings(t *testing.T) {
	srv := pgtest.ForTest(t, pgtest.Setting("work_mem", "7MB"))
	var got, fsync string
	if err := connect(t, srv.URL("postgres")).QueryRow(t.Context(),
		"select current_setting('work_mem'), current_setting('fsync')").Scan(&got, &fsync); err != nil {
		t.Fatal(err)
	}
	if got != "7MB" || fsync != "off" {
		t.Fatalf("work_mem=%s fsync=%s, want 7MB off", got, fsync)
	}
}

func TestEveryVersionStarts(t *testing.T) {
	for _, major := range pgtest.Versions(t) {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			srv := pgtest.SharedVersion(t, major)
			conn := connect(t, pgtest.NewDB(t, srv))
			var version, encoding, level string
			if err := conn.QueryRow(t.Context(), `
				select current_setting('server_version'), current_setting('server_encoding'), current_setting('wal_level')`,
			).Scan(&version, &encoding, &level); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(version, fmt.Sprint(major, ".")) || encoding != "UTF8" || level != "logical" {
				t.Fatalf("version=%s encoding=%s wal_level=%s, want %d.* UTF8 logical", version, encoding, level, major)
			}
		})
	}
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	return conn
}
