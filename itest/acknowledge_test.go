package itest

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

// What the slot has confirmed is never decoded again: everything up to there must be
// in blocks that survive a crash of the master. A second slot tells what there was.
func TestConfirmedIsDurable(t *testing.T) {
	n := seed(t)
	rng := rand.New(rand.NewPCG(n, 1<<32))
	// Blocks stay away from the disk for as long as nobody else's commit brings them there.
	w := newWorld(t, 0, 0, 1, pgtest.Setting("wal_writer_delay", "5s"))
	w.onMaster(workloadTables)
	w.init()
	w.onMaster(`select pg_copy_logical_replication_slot('bridge', 'witness')`)
	last := w.confirmed() // rises only: a slot is saved now and then, and a crash takes it back
	tap := w.spawn("tap")
	w.spawn("replica=r1")

	load := w.work(n, 3, randomStep)
	w.moves("the log begins")
	for round := range rounds(t, 4, 2) {
		time.Sleep(time.Duration(500+rng.IntN(2000)) * time.Millisecond)
		var confirmed change.LSN
		w.eventually("something new is acknowledged", func() bool {
			confirmed = w.confirmed()
			return confirmed > last
		})
		last = confirmed
		w.end(w.master, 0)
		tap.kill() // it must not make the missing blocks again before we have looked
		w.begin(w.master)
		confirmed = max(confirmed, w.confirmed())
		missing := w.notLogged(confirmed)
		w.again(tap)
		if len(missing) > 0 {
			t.Fatalf("round %d: the slot has confirmed %s, and there are no blocks of the transactions that end at %v", round+1, confirmed, missing)
		}
		t.Logf("round %d: confirmed %s, log ends at block %s", round+1, confirmed, w.head())
	}
	w.finish(load)
}

func (w *world) confirmed() (lsn change.LSN) {
	w.t.Helper()
	text := w.query(w.master.URL("app"), "select confirmed_flush_lsn from pg_replication_slots where slot_name = 'bridge'")[0]
	lsn, err := change.ParseLSN(text)
	if err != nil {
		w.t.Fatal(err)
	}
	return lsn
}

// notLogged lists the transactions that the witness slot knows of up to lsn and that
// have no block.
func (w *world) notLogged(lsn change.LSN) (missing []change.LSN) {
	w.t.Helper()
	ctx := w.t.Context()
	conn, err := pgx.Connect(ctx, w.master.URL("app"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	rows, err := conn.Query(ctx, fmt.Sprintf(`
		select data from pg_logical_slot_peek_binary_changes('witness', '%s', null, 'proto_version', '1', 'publication_names', 'bridge')`, lsn))
	if err != nil {
		w.t.Fatal(err)
	}
	messages, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		w.t.Fatal(err)
	}
	logged := map[string]bool{}
	for _, row := range w.query(w.master.URL("app"), "select commit_lsn from bridge.commit_block") {
		logged[row] = true
	}
	// See https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
	changed := false
	commits := 0
	for _, m := range messages {
		switch {
		case m[0] == 'B':
			changed = false
		case strings.IndexByte("IUDT", m[0]) >= 0:
			changed = true
		case m[0] == 'C':
			end := change.LSN(binary.BigEndian.Uint64(m[10:]))
			if changed && end <= lsn {
				commits++
				if !logged[end.String()] {
					missing = append(missing, end)
				}
			}
		}
	}
	if commits == 0 {
		w.t.Errorf("the witness saw nothing up to %s", lsn)
	}
	return missing
}
