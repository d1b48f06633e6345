package master

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/pgserver"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// on runs a test against every version that is there, on the server that tests share.
func on(t *testing.T, f func(t *testing.T, m *machine)) {
	for _, major := range pgtest.Versions(t) {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			f(t, newMachine(t, pgtest.SharedVersion(t, major)))
		})
	}
}

// machine is a database that becomes a master.
type machine struct {
	testing.TB
	*pgx.Conn // of a superuser, for the test's statements
	server    *pgserver.Server
	url       string
	options   Options
}

var slots atomic.Int64

func newMachine(t testing.TB, server *pgserver.Server) *machine {
	t.Helper()
	m := &machine{TB: t, server: server, url: pgtest.NewDB(t, server)}
	m.options = Options{Slot: fmt.Sprintf("bridge_%d", slots.Add(1))}
	m.Conn = m.connect("")
	return m
}

// connect opens another session, as another role unless it is empty.
func (m *machine) connect(role string) *pgx.Conn {
	m.Helper()
	u, err := url.Parse(m.url)
	if err != nil {
		m.Fatal(err)
	}
	if role != "" {
		u.User = url.User(role)
	}
	conn, err := pgx.Connect(m.Context(), u.String())
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// do runs statements that must succeed.
func (m *machine) do(statements string) {
	m.Helper()
	doOn(m, m.Conn, statements)
}

func doOn(t testing.TB, conn *pgx.Conn, statements string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), statements); err != nil {
		t.Fatalf("%s: %v", strings.TrimSpace(statements), err)
	}
}

// text is the single value that a query returns.
func (m *machine) text(query string, args ...any) (s string) {
	m.Helper()
	if err := m.QueryRow(m.Context(), query, args...).Scan(&s); err != nil {
		m.Fatalf("%s: %v", query, err)
	}
	return s
}

func (m *machine) init() Report {
	m.Helper()
	r, err := Init(m.Context(), m.Conn, m.options)
	if err != nil {
		m.Fatalf("init: %v", err)
	}
	return r
}

func (m *machine) drop() {
	m.Helper()
	if err := Drop(m.Context(), m.Conn, m.options); err != nil {
		m.Fatalf("drop: %v", err)
	}
}

// wantState checks how a table stands: "published f" is in the publication with replica identity f.
func (m *machine) wantState(table, want string) {
	m.Helper()
	got := m.text(`
		select coalesce((
			select concat_ws(' ', case when published then 'published' else 'left out' end, identity, case when not has_identity then 'BROKEN' end)
			from bridge.table_state where relid = to_regclass($1)), 'unknown')`, table)
	if got != want {
		m.Errorf("table %s is %q, want %q", table, got, want)
	}
}

func names(tables []Table) string {
	list := make([]string, len(tables))
	for i, t := range tables {
		list[i] = t.String()
	}
	return strings.Join(list, " ")
}
