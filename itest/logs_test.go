package itest

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
)

// settle waits like wait, for longer, and says where everything stands when it was in vain.
func (w *world) settle() {
	w.t.Helper()
	const marker = `select pg_current_wal_insert_lsn() from pg_logical_emit_message(true, 'bridge.marker', '')`
	lsn := w.query(w.master.URL("app"), marker)[0]
	deadline := time.Now().Add(3 * time.Minute)
	for i := range w.replicas {
		for {
			r, err := tryQuery(w.t.Context(), w.replicas[i].URL("app"), "select commit_lsn >= '"+lsn+"' and state = 'streaming' from bridge.position")
			if err == nil && len(r) > 0 && r[0] == "t" {
				break
			}
			if time.Now().After(deadline) {
				w.t.Fatalf("replica %d does not reach %s:\n%s", i+1, lsn, w.standing())
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// standing describes where everything stands.
func (w *world) standing() string {
	text := ""
	show := func(what, url, sql string) {
		rows, err := tryQuery(context.Background(), url, sql)
		text += fmt.Sprintf("%s: %v %v\n", what, rows, err)
	}
	show("slot", w.master.URL("app"), `select slot_name, active, confirmed_flush_lsn, wal_status from pg_replication_slots`)
	show("log", w.master.URL("app"), `select seq, commit_lsn from bridge.commit_block order by seq desc limit 1`)
	show("uncaptured", w.master.URL("app"), `select * from bridge.uncaptured`)
	for i := range w.replicas {
		show(fmt.Sprintf("replica %d", i+1), w.replicas[i].URL("app"), `select seq, commit_lsn, state, consistent_lsn, error from bridge.position`)
		show("copies", w.replicas[i].URL("app"), `select relid, schema_name, table_name, state, settle from bridge.copy_table`)
	}
	return text
}

// logs fails unless the master's log verifies from its first block on, without a gap
// and without a transaction that comes twice, and every replica's own log is the same.
func (w *world) logs() {
	w.t.Helper()
	sums := w.verified(w.master.URL("app"), nil)
	for i, server := range w.replicas {
		w.verified(server.URL("app"), sums)
		var positions []string
		for _, sql := range []string{
			`select seq || ' ' || encode(checksum, 'hex') from bridge.position`,
			`select seq || ' ' || encode(checksum, 'hex') from bridge.commit_block order by seq desc limit 1`,
		} {
			positions = append(positions, w.query(server.URL("app"), sql)...)
		}
		if len(positions) != 2 || positions[0] != positions[1] {
			w.t.Errorf("replica %d: position and log end differ: %v", i+1, positions)
		}
	}
	if w.t.Failed() {
		w.t.FailNow()
	}
}

// verified walks a log and returns the checksums of its blocks. Where the master's are
// given they must agree.
func (w *world) verified(url string, master map[int64]change.Checksum) map[int64]change.Checksum {
	w.t.Helper()
	ctx := w.t.Context()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	sums := map[int64]change.Checksum{}
	var verify *commitlog.Verifier
	var last commitlog.Block
	for {
		blocks, err := commitlog.Read(ctx, conn, last.Seq, 500, 4<<20)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(blocks) == 0 {
			break
		}
		for i := range blocks {
			b := &blocks[i]
			if master != nil && master[b.Seq] != b.Checksum {
				w.t.Errorf("block %d of %s is not the master's", b.Seq, url)
				return sums
			}
			if last.Seq != 0 && b.LSN <= last.LSN {
				w.t.Errorf("block %d ends at %s, block %d before it at %s", b.Seq, b.LSN, last.Seq, last.LSN)
			}
			switch {
			case verify != nil:
				if err := verifyBlock(ctx, conn, verify, b); err != nil {
					w.t.Errorf("%s: %v", url, err)
					return sums
				}
			case b.Seq == 1:
				anchor, err := commitlog.Anchor(ctx, conn)
				if err != nil {
					w.t.Fatal(err)
				}
				verify = commitlog.NewVerifier(anchor)
				if err := verifyBlock(ctx, conn, verify, b); err != nil {
					w.t.Errorf("%s: %v", url, err)
					return sums
				}
			default: // the log was trimmed, or begins behind a copy
				verify = commitlog.NewVerifier(b.Position())
			}
			sums[b.Seq] = b.Checksum
			last = *b
		}
	}
	return sums
}

// verifyBlock checks one block with all its parts.
func verifyBlock(ctx context.Context, conn *pgx.Conn, verify *commitlog.Verifier, b *commitlog.Block) error {
	_, err := verifiedContent(ctx, conn, verify, b)
	return err
}

// verifiedContent checks one block and returns its content.
func verifiedContent(ctx context.Context, conn *pgx.Conn, verify *commitlog.Verifier, b *commitlog.Block) ([]byte, error) {
	content, err := verify.Part(nil, b.Seq, b.Payload)
	if err != nil {
		return nil, err
	}
	for part := int32(1); part < b.Parts; part++ {
		stored, err := commitlog.ReadPart(ctx, conn, b.Seq, part)
		if err != nil {
			return nil, err
		}
		if content, err = verify.Part(content, b.Seq, stored); err != nil {
			return nil, err
		}
	}
	return content, verify.Block(b)
}
