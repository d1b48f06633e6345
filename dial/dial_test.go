package dial_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/dial"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const patience = 500 * time.Millisecond

func connect(t *testing.T, url string) (*pgx.Conn, error) {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	dial.Watch(&config.Config, patience)
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err == nil {
		t.Cleanup(func() { conn.Close(context.Background()) })
	}
	return conn, err
}

func TestSlowStatementGoesOn(t *testing.T) {
	conn, err := connect(t, pgtest.DB(t))
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := conn.QueryRow(t.Context(), "select 7 from pg_sleep(4)").Scan(&n); err != nil || n != 7 {
		t.Errorf("a statement longer than the patience: %d, %v, want 7", n, err)
	}
}

func TestSilentConnectionIsGivenUp(t *testing.T) {
	conn, err := connect(t, pgtest.DB(t))
	if err != nil {
		t.Fatal(err)
	}
	// The server has nothing to work on, so nothing can come.
	if _, err := conn.WaitForNotification(t.Context()); !errors.Is(err, dial.ErrSilent) {
		t.Errorf("wait on an idle connection: %v, want %v", err, dial.ErrSilent)
	}
	if !conn.IsClosed() {
		t.Error("the connection is still open")
	}
}

func TestDeadlinesOfTheUserHold(t *testing.T) {
	conn, err := connect(t, pgtest.DB(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience/5)
	defer cancel()
	if _, err := conn.WaitForNotification(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("wait with a timeout: %v, want %v", err, context.DeadlineExceeded)
	}
	var n int
	if err := conn.QueryRow(t.Context(), "select 7").Scan(&n); err != nil || n != 7 {
		t.Errorf("a statement after the timeout: %d, %v, want 7", n, err)
	}
}

// A server that accepts connections and says nothing held us forever.
func TestMuteServerIsGivenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := connect(t, "postgres://nobody@"+l.Addr().String()+"/none?sslmode=disable"); err == nil {
		t.Error("connected to a server that says nothing")
	}
}
