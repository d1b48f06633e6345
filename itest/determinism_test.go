package itest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/decoder"
	"github.com/pgbridge/pgbridge/schema"
)

// changingTables are those whose columns come and go while they are written to.
const changingTables = `
	create table changing_1 (id int primary key, a int, b text);
	create table changing_2 (id int primary key, a int, b text, long text);
	create table changing_3 (id int, a int, b text);`

// evolvingStep is randomStep with changes of the schema between.
func evolvingStep(s *client) error {
	if s.rng.IntN(3) == 0 {
		return randomStep(s)
	}
	table := fmt.Sprintf("changing_%d", 1+s.rng.IntN(3))
	column := fmt.Sprintf("c%d", s.rng.IntN(4))
	if s.rng.IntN(6) > 0 {
		switch s.rng.IntN(4) {
		case 0, 1:
			rows := 1 + s.rng.IntN(4)
			if s.rng.IntN(4) == 0 {
				rows = 800
			}
			return s.exec(fmt.Sprintf(`insert into %[1]s select (jsonb_populate_record(null::%[1]s, jsonb_build_object(
				'id', i, 'a', i, 'b', 'text ' || i, 'long', repeat('l', 30), 'c0', i, 'c1', '1', 'c2', i, 'c3', 2))).*
				from generate_series(%[2]d, %[2]d + %[3]d) i on conflict do nothing`, table, s.rng.IntN(100_000), rows))
		case 2:
			return s.exec(fmt.Sprintf(`update %s set b = right(coalesce(b, '') || 'x', 40) where %s`, table, s.some("id % 400")))
		}
		return s.exec(fmt.Sprintf(`delete from %s where %s`, table, s.some("id % 400")))
	}
	if _, err := s.tx.Exec(s.ctx, `set local lock_timeout = '1s'`); err != nil {
		return err
	}
	switch s.rng.IntN(9) {
	case 0, 1:
		return s.exec(fmt.Sprintf(`alter table %s add column if not exists %s %s`, table, column, []string{"int", "text", "numeric(10, 2)", "int default 7"}[s.rng.IntN(4)]))
	case 2:
		return s.exec(fmt.Sprintf(`alter table %s drop column if exists %s`, table, column))
	case 3:
		return s.exec(fmt.Sprintf(`alter table %s rename column %s to c%d`, table, column, s.rng.IntN(4)))
	case 4:
		return s.exec(fmt.Sprintf(`alter table %s rename column a to %s`, table, column))
	case 5:
		return s.exec(fmt.Sprintf(`alter table %s rename column %s to a`, table, column))
	case 6:
		return s.exec(fmt.Sprintf(`alter table %s alter column %s type text using %[2]s::text`, table, column))
	case 7:
		return s.exec(`alter table changing_3 replica identity ` + []string{"full", "nothing", "default"}[s.rng.IntN(3)])
	}
	return s.exec(fmt.Sprintf(`truncate %s`, table))
}

// logged is a stored block with its content.
type logged struct {
	commitlog.Block
	content []byte
}

// blocks reads the whole log, verified.
func (w *world) blocks() (anchor change.Position, model *change.Model, list []logged) {
	w.t.Helper()
	ctx := w.t.Context()
	conn, err := pgx.Connect(ctx, w.master.URL("app"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if anchor, err = commitlog.Anchor(ctx, conn); err != nil {
		w.t.Fatal(err)
	}
	var sum change.Checksum
	var text []byte
	if err := conn.QueryRow(ctx, `select model from bridge.epoch order by epoch limit 1`).Scan(&text); err != nil {
		w.t.Fatal(err)
	}
	copy(sum[:], text)
	if model, err = commitlog.LoadModel(ctx, conn, sum, nil); err != nil {
		w.t.Fatal(err)
	}
	verify := commitlog.NewVerifier(anchor)
	for {
		read, err := commitlog.Read(ctx, conn, verify.Position().Seq, 500, 4<<20)
		if err != nil {
			w.t.Fatal(err)
		}
		if len(read) == 0 {
			return anchor, model, list
		}
		for i := range read {
			content, err := verifiedContent(ctx, conn, verify, &read[i])
			if err != nil {
				w.t.Fatal(err)
			}
			if _, err := commitlog.LoadModel(ctx, conn, read[i].Model, nil); err != nil {
				w.t.Fatalf("block %d: %v", read[i].Seq, err)
			}
			list = append(list, logged{read[i], content})
		}
	}
}

var errEnough = errors.New("enough")

// decodeAgain decodes what a slot holds and compares it with the stored blocks. The
// tap is broken off now and then, and begins again behind the last transaction.
func (w *world) decodeAgain(slot, memory string, rng *rand.Rand, breaks bool) {
	w.t.Helper()
	before, model, want := w.blocks()
	conf, err := pgx.ParseConfig(w.master.URL("app"))
	if err != nil {
		w.t.Fatal(err)
	}
	conf.RuntimeParams["logical_decoding_work_mem"] = memory
	next, large, doubts := 0, 0, 0
	streaming := true
	changes := change.Changes{} // who begins again has to know them, as the tap does
	var publisher schema.Publisher
	certain := func(m *change.Model, relations []*change.Relation) bool {
		is, err := publisher.Publishes(m, relations)
		if err != nil {
			w.t.Errorf("what tables are by model %s: %v", m.Checksum(), err)
		}
		return is
	}
	var done atomic.Uint64
	for next < len(want) {
		ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
		until := len(want)
		if breaks {
			until = min(until, next+1+rng.IntN(len(want)/4+1))
		}
		if !streaming {
			until = next + 1
		}
		w.eventually("the slot is free", func() bool {
			return w.query(w.master.URL("app"), "select active from pg_replication_slots where slot_name = '"+slot+"'")[0] == "f"
		})
		err := decoder.Run(ctx, decoder.Options{
			Config: &conf.Config, Slot: slot, Publication: w.config.Master.Publication, Start: before.LSN, Model: model, Changes: changes,
			Streaming: streaming, Certain: certain, Relabels: schema.Relabels, Durable: func() change.LSN { return change.LSN(done.Load()) },
		}, func(tx *decoder.Tx) error {
			b := &want[next]
			var content []byte
			parts := int32(0)
			if err := tx.Parts(func(part []byte) error {
				parts++
				content = append(content, part...)
				return nil
			}); err != nil {
				return err
			}
			if tx.Large {
				large++
			}
			h := commitlog.Header{Epoch: before.Epoch, Seq: before.Seq + 1, XID: tx.XID, LSN: tx.LSN, Commit: tx.Commit,
				Model: tx.Model.Checksum(), Parts: max(parts, 1), Bytes: int64(len(content))}
			switch {
			case h != (commitlog.Header{Epoch: b.Epoch, Seq: b.Seq, XID: b.XID, LSN: b.LSN, Commit: h.Commit, Model: b.Model, Parts: b.Parts, Bytes: b.Bytes}) || !h.Commit.Equal(b.Commit):
				return fmt.Errorf("block %d is %+v, decoded again it is %+v:\n%s", b.Seq, b.Header, h, apart(b.content, content))
			case string(content) != string(b.content):
				return fmt.Errorf("block %d differs: %s", b.Seq, apart(b.content, content))
			case h.Sum(before.Checksum, sha256.Sum256(content)) != b.Checksum:
				return fmt.Errorf("block %d: the checksum differs", b.Seq)
			}
			before, model = b.Position(), tx.Model
			maps.Copy(changes, tx.Changes)
			done.Store(uint64(before.LSN))
			if next++; next == until {
				return errEnough
			}
			return nil
		})
		cancel()
		if pg, ok := errors.AsType[*pgconn.PgError](err); streaming && (errors.Is(err, decoder.ErrDoubt) || ok && pg.Code == "XX000") {
			streaming, doubts = false, doubts+1
			continue
		}
		streaming = true
		if !errors.Is(err, errEnough) {
			w.t.Fatalf("slot %s, %s, behind %d of %d blocks: %v", slot, memory, next, len(want), err)
		}
	}
	w.t.Logf("slot %s, %s: %d blocks, %d of them large, %d decoded without streaming", slot, memory, next, large, doubts)
}

// describe lists the changes of a block.
func describe(content []byte) []string {
	var list []string
	r := change.NewReader(content)
	var c change.Change
	for {
		more, err := r.Next(&c)
		if err != nil {
			return append(list, err.Error())
		}
		if !more {
			return list
		}
		text := fmt.Sprintf("%s of %d", c.Op, c.Relation)
		for _, row := range []change.Tuple{c.Old, c.New} {
			text += " ("
			for _, v := range row {
				text += fmt.Sprintf(" %.20q", v.Data)
			}
			text += " )"
		}
		if c.Op == change.Evolve {
			text = "evolve to " + c.Model.String()
		}
		list = append(list, text)
	}
}

// apart lists what the contents have from where on they differ.
func apart(a, b []byte) string {
	x, y := describe(a), describe(b)
	for len(x) > 0 && len(y) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	return fmt.Sprintf("%s\ndecoded again:\n%s", strings.Join(x[:min(len(x), 20)], "\n"), strings.Join(y[:min(len(y), 20)], "\n"))
}

// The same write-ahead log gives the same blocks: in one go or with interruptions,
// whether the server streams transactions before they commit or not, and also when
// tables change their columns in the middle of transactions and of what is rolled back.
func TestDecodedAgainItIsTheSame(t *testing.T) {
	n := seed(t)
	rng := rand.New(rand.NewPCG(n, 1<<32))
	w := newWorld(t, 0, 0, 0, streamEverything())
	w.onMaster(workloadTables + changingTables)
	w.init()
	slots := []string{"again_1", "again_2", "again_3"}
	for _, slot := range slots {
		w.onMaster(`select pg_copy_logical_replication_slot('bridge', '` + slot + `')`)
	}
	w.run(pgbridge.Role{Tap: true})
	load := w.work(n, 4, evolvingStep)
	time.Sleep(time.Duration(rounds(t, 12, 4)) * time.Second)
	load.stop()
	// More than one part, with a part of it rolled back.
	w.onMaster(`
		begin;
		insert into changing_3 (id, b) select i, repeat('b', 100) from generate_series(1, 30000) i;
		savepoint a; alter table changing_3 add column gone int; insert into changing_3 (id, gone) select i, i from generate_series(1, 3000) i; rollback to a;
		insert into changing_3 (id, b) select i, 'behind' from generate_series(1, 30000) i;
		commit`)
	w.tapped()
	w.decodeAgain(slots[0], "1GB", rng, false)
	w.decodeAgain(slots[1], "64kB", rng, false)
	w.decodeAgain(slots[2], []string{"64kB", "256kB", "1GB"}[rng.IntN(3)], rng, true)
}

// tapped waits until all that is committed is in the log.
func (w *world) tapped() {
	w.t.Helper()
	lsn := w.query(w.master.URL("app"), "select pg_current_wal_insert_lsn() from pg_logical_emit_message(true, 'bridge.marker', '')")[0]
	w.eventually("the log catches up", func() bool {
		r, err := tryQuery(w.t.Context(), w.master.URL("app"), "select max(commit_lsn) >= '"+lsn+"' from bridge.commit_block")
		return err == nil && r[0] == "t"
	})
}

// sent waits until the tap was sent all that is in the write-ahead log.
func (w *world) sent() {
	w.t.Helper()
	w.onMaster("select pg_logical_emit_message(true, 'bridge.marker', '')")
	lsn := w.query(w.master.URL("app"), "select pg_current_wal_flush_lsn()")[0]
	w.eventually("the tap reads on", func() bool {
		r := w.query(w.master.URL("app"), "select sent_lsn >= '"+lsn+"' from pg_stat_replication where application_name = 'bridge tap'")
		return len(r) == 1 && r[0] == "t"
	})
}

// What a streamed transaction told of a table, in a part of it that was rolled back,
// must not stand above what a later transaction made of the table.
func TestStreamedTransactionThatWasPartlyRolledBackKeepsNoColumns(t *testing.T) {
	w := newWorld(t, 0, 0, 1, streamEverything())
	w.onMaster(`create table a (id int primary key, x int); create table b (id int primary key, x int); create table c (id int primary key, x int)`)
	w.init()
	w.onMaster(`select pg_copy_logical_replication_slot('bridge', 'again')`)
	w.run()
	w.wait()

	first, err := pgx.Connect(t.Context(), w.master.URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close(context.Background())
	if _, err := first.Exec(t.Context(), `
		begin; savepoint s;
		insert into a select i, i from generate_series(1, 5000) i;
		insert into c select i, i from generate_series(1, 5000) i`); err != nil {
		t.Fatal(err)
	}
	w.sent() // what columns a and c have
	if _, err := first.Exec(t.Context(), `rollback to s`); err != nil {
		t.Fatal(err)
	}
	w.onMaster(`alter table a rename column x to y; alter table a add column z int`)
	w.onMaster(`insert into a values (-1, -1, -1)`)
	if _, err := first.Exec(t.Context(), `
		insert into b select i, i from generate_series(1, 5000) i;
		insert into c select i, i from generate_series(1, 5000) i;
		commit`); err != nil {
		t.Fatal(err)
	}
	w.onMaster(`insert into a values (-2, -2, -2)`)
	w.wait()
	w.same()

	// The server streams what the event triggers say of a command as if it were no part of the subtransaction.
	if _, err := first.Exec(t.Context(), `
		begin; savepoint s;
		alter table b alter x drop default; -- it has none
		insert into b select i, i from generate_series(5001, 10000) i`); err != nil {
		t.Fatal(err)
	}
	w.sent()
	if _, err := first.Exec(t.Context(), `rollback to s; commit`); err != nil {
		t.Fatal(err)
	}
	w.wait()
	w.same()
	w.decodeAgain("again", "1GB", nil, false)
}

// The first rows of a table that come before their commit are believed where the schema says the same of the table. Where
// it can not be told, they are decoded again. The blocks are the same either way.
func TestFirstRowsOfATableMayBeStreamed(t *testing.T) {
	w := newWorld(t, 0, 0, 1, streamEverything())
	w.init()
	w.onMaster(`select pg_copy_logical_replication_slot('bridge', 'again')`)
	w.run()
	w.wait()
	w.onMaster(`
		create table first (id int primary key, code varchar(5), fixed char(3), n numeric(10, 2), m numeric(12, 0), plain numeric, twice int generated always as (id * 2) stored, v text);
		alter table first drop column plain;
		create table whole (id int, v text);
		create table indexed (a int not null, b text); create unique index on indexed (a); alter table indexed replica identity using index indexed_a_idx;
		create table "Odd name" (v text, id int, primary key (id, v));
		create table parts (id int primary key, v text) partition by list (id); create table part partition of parts default;
		create table precise (id int primary key, at timestamp(3))`)
	w.wait()
	const again = "tap goes on without streaming for a while"
	w.onMaster(`begin; insert into first (id, code, n, m, v) select i, 'c', i, i, 'v' from generate_series(1, 3000) i;
		insert into whole select i, 'v' from generate_series(1, 3000) i; update whole set v = 'w' where id = 5; commit`)
	w.onMaster(`begin; insert into indexed select i, 'v' from generate_series(1, 3000) i; insert into "Odd name" select 'v', i from generate_series(1, 3000) i;
		insert into parts select i, 'v' from generate_series(1, 3000) i; commit`)
	w.wait()
	if n := w.logged(again); n != 0 {
		t.Errorf("decoded again %d times", n)
	}
	w.onMaster(`create table later (id int primary key, v text); insert into later values (1, 'v')`)
	w.onMaster(`alter table later add w int`)
	w.wait()
	before := w.logged(again) // a change of the schema is decoded again in a session that streams
	w.onMaster(`insert into later select i, 'v', i from generate_series(2, 3000) i`)
	w.onMaster(`begin; alter table later add x int; rollback`)
	w.onMaster(`insert into later select i, 'v', i from generate_series(4000, 7000) i`)
	w.wait()
	if n := w.logged(again); n != before {
		t.Errorf("decoded again %d times behind changes of the schema", n-before)
	}
	w.onMaster(`insert into precise select i, now() from generate_series(1, 3000) i`)
	w.wait()
	if n := w.logged(again); n != before+1 {
		t.Errorf("decoded again %d times, want once, for timestamp(3)", n-before)
	}
	w.same()
	w.decodeAgain("again", "1GB", nil, false)
}
