package itest

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	pgbridge "github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/commitlog"
)

// Promise 3: a block whose checksum or chain is wrong is never applied.

// payload makes the stored form of a part with a right sum, whatever it claims.
func payload(version, codec byte, size uint32, content string) string {
	b := []byte{version, codec, 0, 0, 0, 0}
	b = binary.BigEndian.AppendUint32(b, size)
	b = append(b, content...)
	table := crc32.MakeTable(crc32.Castagnoli)
	binary.BigEndian.PutUint32(b[2:], crc32.Update(crc32.Update(0, table, b[:2]), table, b[6:]))
	return `'\x` + hex.EncodeToString(b) + `'`
}

func TestCorruptBlocksAreNeverApplied(t *testing.T) {
	t.Parallel()
	const (
		small = `insert into a select i, 'small' from generate_series((select max(id) from a) + 1, (select max(id) from a) + 5) i`
		wide  = `insert into a select (select max(id) from a) + i, repeat('compress me ', 100) || i from generate_series(1, 100) i`
		large = `insert into a select (select max(id) from a) + i, (select string_agg(md5((i * 1000 + j)::text), '') from generate_series(1, 320) j) from generate_series(1, 700) i`
	)
	flip := func(at string) string {
		return fmt.Sprintf(`update bridge.commit_block set payload = set_byte(payload, %s, get_byte(payload, %[1]s) # 16) where seq = $`, at)
	}
	set := func(what string) string { return "update bridge.commit_block set " + what + " where seq = $" }
	// A zstd frame that claims 1 GiB and holds nothing.
	bomb := "\x28\xb5\x2f\xfd\xa0\x00\x00\x00\x40"
	cases := []struct{ name, victim, sql, says string }{
		{"flipped bit in the content", small, flip("12"), "corrupt"},
		{"flipped bit in the payload's sum", small, flip("3"), "corrupt"},
		{"flipped bit in compressed content", wide, flip("length(payload) / 2"), "corrupt"},
		{"flipped bit in the first part of a large block", large, flip("1000000"), "corrupt"},
		{"flipped bit in a later part of a large block", large,
			`update bridge.commit_part set payload = set_byte(payload, 100, get_byte(payload, 100) # 1) where seq = $ and part = 1`, "corrupt"},
		{"missing part", large, `delete from bridge.commit_part where seq = $ and part = 1`, "part 1 is missing"},
		{"missing last part", large, `delete from bridge.commit_part where seq = $ and part = (select max(part) from bridge.commit_part where seq = $)`, "is missing"},
		{"swapped parts", large, `update bridge.commit_block b set payload = p.payload from bridge.commit_part p where b.seq = $ and p.seq = b.seq and p.part = 1`, "corrupt"},
		{"truncated later part", large, `update bridge.commit_part set payload = substr(payload, 1, 1000) where seq = $ and part = 1`, "corrupt"},
		{"other xid", small, set("xid = xid + 1"), "corrupt"},
		{"xid of more than 32 bits", small, set("xid = xid + 4294967296"), "corrupt"},
		{"other commit_lsn", small, set("commit_lsn = commit_lsn + 8"), "corrupt"},
		{"other commit_time", small, set("commit_time = commit_time + interval '1 microsecond'"), "corrupt"},
		{"commit_time infinity", small, set("commit_time = 'infinity'"), "corrupt"},
		{"other model", small, set("model = sha256(model)"), "corrupt"},
		{"short model", small, set(`model = '\x00'`), "corrupt"},
		{"other epoch", small, set("epoch = epoch + 1"), "corrupt"},
		{"more parts", small, set("parts = 2"), "part 1 is missing"},
		{"no parts", small, set("parts = 0"), "corrupt"},
		{"parts below zero", small, set("parts = -1"), "corrupt"},
		{"very many parts", small, set("parts = 2147483647"), "part 1 is missing"},
		{"fewer parts", large, set("parts = parts - 1"), "corrupt"},
		{"other bytes", small, set("bytes = bytes + 1"), "corrupt"},
		{"other checksum", small, set("checksum = set_byte(checksum, 31, get_byte(checksum, 31) # 1)"), "corrupt"},
		{"short checksum", small, set(`checksum = '\x'`), "corrupt"},
		{"missing block", small, `delete from bridge.commit_block where seq = $`, "is missing in the log"},
		{"swapped with the block behind", small, `
			update bridge.commit_block set seq = 9999 where seq = $;
			update bridge.commit_block set seq = $ where seq = $ + 1;
			update bridge.commit_block set seq = $ + 1 where seq = 9999`, "corrupt"},
		{"content of the block behind", small, `
			update bridge.commit_block b set payload = n.payload, bytes = n.bytes from bridge.commit_block n where b.seq = $ and n.seq = $ + 1`, "corrupt"},
		{"truncated payload", wide, set("payload = substr(payload, 1, length(payload) - 3)"), "corrupt"},
		{"payload without its header", small, set("payload = substr(payload, 1, 5)"), "corrupt"},
		{"empty payload", small, set(`payload = ''`), "corrupt"},
		{"payload that claims a huge size", small, set("payload = " + payload(1, 0, 1<<31, "x")), "corrupt"},
		{"compressed payload that claims a huge size", small, set("payload = " + payload(1, 1, 1<<30, bomb)), "corrupt"},
		{"frame that claims more than the payload", small, set("payload = " + payload(1, 1, 10, bomb)), "corrupt"},
		{"well-formed payload with no content", small, set("payload = '\\x" + hex.EncodeToString(commitlog.Pack(nil, nil)) + "', bytes = 0"), "corrupt"},
		{"unknown version", small, set("payload = " + payload(2, 0, 1, "x")), "version 2 is not known"},
		{"unknown codec", small, set("payload = " + payload(1, 9, 1, "x")), "codec 9 is not known"},
	}
	w := newWorld(t, 0, 0, 2)
	w.onMaster(`create table a (id int primary key, v text); insert into a values (0, 'first')`)
	w.init()
	w.run(pgbridge.Role{Tap: true}, pgbridge.Role{Replica: "r2"})
	second := w.run(pgbridge.Role{Replica: "r1"})
	w.wait()
	w.onMaster(`create table bridge.saved_block (like bridge.commit_block); create table bridge.saved_part (like bridge.commit_part)`)
	for _, c := range cases {
		second.stop()
		seq := w.lastBlock() + 2
		w.onMaster(small)
		w.onMaster(c.victim)
		w.onMaster(small)
		w.block(seq + 1)
		w.waitOne(1)
		before := w.query(w.master.URL("app"), fmt.Sprint(`select count(*) from a where xmin::text::bigint < (select xid from bridge.commit_block where seq = `, seq, `)`))[0]
		number := func(sql string) string { return strings.ReplaceAll(sql, "$", fmt.Sprint(seq)) }
		w.onMaster(number(`
			insert into bridge.saved_block select * from bridge.commit_block where seq >= $;
			insert into bridge.saved_part select * from bridge.commit_part where seq >= $`))
		w.onMaster("begin;" + number(c.sql) + "; commit")

		second = w.run(pgbridge.Role{Replica: "r1"})
		reason := w.stands(0, fmt.Sprintf("block %d", seq), c.says)
		if at := w.position(0); at != seq-1 {
			t.Errorf("%s: replica is at block %d, want %d, the one before: %s", c.name, at, seq-1, reason)
		}
		if rows := w.query(w.replicas[0].URL("app"), "select count(*) from a")[0]; rows != before {
			t.Errorf("%s: replica shows %s rows, want %s", c.name, rows, before)
		}
		w.onMaster(`insert into a select max(id) + 1, 'meanwhile' from a`)
		w.waitOne(1) // the other replica goes on

		w.onMaster(number(`
			begin;
			delete from bridge.commit_block where seq in (select seq from bridge.saved_block);
			delete from bridge.commit_part where seq in (select seq from bridge.saved_block);
			insert into bridge.commit_block select * from bridge.saved_block;
			insert into bridge.commit_part select * from bridge.saved_part;
			truncate bridge.saved_block, bridge.saved_part;
			commit`))
		w.waitOne(0)
		if t.Failed() {
			t.FailNow()
		}
	}
	w.same()
	if rows := w.query(w.replicas[0].URL("app"), "select error from bridge.position")[0]; rows != "" {
		t.Errorf("mended replica still says %q", rows)
	}
}
