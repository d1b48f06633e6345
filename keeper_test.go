package pgbridge

import (
	"log/slog"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/master"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// What the slot has and the log has not yet is no change that the log misses.
func TestSchemaIsComparedBehindTheBacklog(t *testing.T) {
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, pgtest.NewDB(t, pgtest.Shared(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	const slot = "bridge_backlog"
	if _, err := master.Init(ctx, conn, master.Options{Slot: slot}); err != nil {
		t.Fatal(err)
	}
	// An event trigger writes it into the log, which nobody makes: the log's head does not know it.
	if _, err := conn.Exec(ctx, `create table t (id int primary key)`); err != nil {
		t.Fatal(err)
	}
	_, committed, err := commitlog.Ends(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	w := schemaWatch{log: slog.New(slog.DiscardHandler), slot: slot, triggers: true, behind: committed}
	look := func() (compared bool) {
		t.Helper()
		if err := w.look(ctx, conn); err != nil {
			t.Fatal(err)
		}
		return !w.ended.IsZero()
	}
	if look() {
		t.Error("the schema is compared with a log that has not come to where the slot has changes")
	}
	if _, err := conn.Exec(ctx, `select pg_replication_slot_advance($1, $2::text::pg_lsn)`, slot, committed.String()); err != nil {
		t.Fatal(err)
	}
	if !look() {
		t.Error("the schema is not compared with a log that has everything")
	}
}
