package itest

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	pgbridge "github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

// A master with a short wal_sender_timeout ended the replication connection while the
// sync table was slow, again and again.
func TestSlowSyncTableDoesNotRestartTheTap(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, 0, 1, pgtest.Setting("wal_sender_timeout", "1s"), streamEverything())
	w.onMaster(`create table a (id int primary key, v text)`)
	w.init()
	_, journal := w.start(0)
	w.wait()
	conn, err := pgx.Connect(t.Context(), w.master.URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "begin; lock table bridge.commit_block, bridge.commit_part in share mode"); err != nil {
		t.Fatal(err)
	}
	w.onMaster(`insert into a values (-1, 'small')`)
	w.onMaster(`insert into a select i, repeat('x', 100) from generate_series(1, 100000) i`)
	w.onMaster(`update a set v = 'y' where id % 1000 = 0`)
	w.eventually("the writer has waited for 5 s", func() bool {
		return len(w.query(w.master.URL("postgres"), "select from pg_stat_activity where application_name = 'bridge log' and wait_event_type = 'Lock' and now() - query_start > '5 s'")) > 0
	})
	if _, err := conn.Exec(t.Context(), "commit"); err != nil {
		t.Fatal(err)
	}
	w.wait()
	w.same()
	if n := journal.count(`msg="tap starts"`); n != 1 {
		t.Errorf("tap started %d times, want 1", n)
	}
}

// The operator's bound on the WAL that a slot keeps holds while the bridge is down; then
// run says what happened and what to do, and does not spin.
func TestLostSlotIsReported(t *testing.T) {
	t.Parallel()
	const limit = 32
	w := newWorld(t, 0, 0, 1,
		pgtest.Setting("max_slot_wal_keep_size", fmt.Sprintf("%dMB", limit)), pgtest.Setting("wal_keep_size", "0"),
		pgtest.Setting("max_wal_size", "48MB"), pgtest.Setting("min_wal_size", "32MB"), pgtest.Setting("autovacuum", "off"))
	w.onMaster(`create table a (id int primary key, v text)`)
	w.init()
	bridge, _ := w.start(0)
	w.wait()
	bridge.stop()

	most := int64(0)
	for n := 0; ; n++ {
		// Writes go on, whatever becomes of the slot.
		w.onMaster(fmt.Sprintf(`insert into a select i, repeat('x', 1000) from generate_series(%d, %d) i; select pg_switch_wal()`, n*5000, n*5000+4999))
		w.onMaster(`checkpoint`)
		kept := w.number(w.master.URL("app"), `select coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint >> 20 from pg_replication_slots where slot_name = 'bridge' and wal_status in ('reserved', 'extended', 'unreserved')
			union all select 0 limit 1`)
		most = max(most, kept)
		if w.query(w.master.URL("app"), "select wal_status from pg_replication_slots where slot_name = 'bridge'")[0] == "lost" {
			break
		}
		if n > 100 {
			t.Fatal("slot is not lost after 500 MB")
		}
	}
	// Promise 6. A segment and what came between two checkpoints stand on top of the bound.
	if most > limit+16*4 {
		t.Errorf("slot held back %d MiB of WAL, want %d and a little", most, limit)
	}
	t.Logf("slot held back at most %d MiB with max_slot_wal_keep_size = %dMB", most, limit)
	w.reported("is lost", "max_slot_wal_keep_size", "bridge init")
	if _, err := tryQuery(t.Context(), w.master.URL("app"), "select pg_drop_replication_slot('bridge')"); err != nil {
		t.Fatal(err)
	}
	w.reported("is gone", "bridge init")
}

// reported starts a bridge that can not go on and sees that it says so, once, without
// spinning, while the master's users go on.
func (w *world) reported(words ...string) {
	w.t.Helper()
	bridge, journal := w.start(0)
	w.eventually("run says why", func() bool { return journal.count("tap failed") > 0 })
	before := cpuTime()
	started := time.Now()
	w.onMaster(`update a set v = 'still writable' where id = 1; create table later (id int primary key); update later set id = 1; drop table later`)
	time.Sleep(3 * time.Second) // a measurement
	used := cpuTime() - before
	bridge.stop()
	for _, word := range words {
		if journal.count(word) == 0 {
			w.t.Errorf("the log does not say %q", word)
		}
	}
	if n := journal.count("tap failed"); n != 1 {
		w.t.Errorf("the failure was logged %d times, want once", n)
	}
	w.t.Logf("cpu used by the whole test process while it waited %s: %s", time.Since(started).Round(time.Millisecond), used)
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// Promise 6: nothing of the master's own work waits for the bridge or fails because of it.
func TestMasterGoesOnWithoutTheBridge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create table keyed (id int primary key, v text);
		create table nokey (v text);
		create table parted (id int, v text) partition by list (id);
		create table parted_1 partition of parted for values in (1)`)
	w.init()
	bridge, _ := w.start(0)
	w.wait()

	// A long transaction of a user neither blocks the bridge nor is blocked.
	long, err := pgx.Connect(t.Context(), w.master.URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer long.Close(context.Background())
	if _, err := long.Exec(t.Context(), "begin; insert into keyed values (1000, 'long')"); err != nil {
		t.Fatal(err)
	}
	w.onMaster(`insert into keyed values (1, 'a'); update keyed set v = 'b'`)
	w.wait()

	bridge.stop()
	w.onMaster(`
		set lock_timeout = '2s';
		insert into keyed select i, 'x' from generate_series(2, 100) i;
		update keyed set id = id + 500 where id between 50 and 60;
		insert into nokey values ('a'), ('b');
		update nokey set v = v || '!';
		delete from nokey where v = 'b!';
		create table later (v text);
		insert into later values ('a');
		update later set v = 'b';
		delete from later;
		create table parted_2 partition of parted for values in (2);
		insert into parted values (1, 'a'), (2, 'b');
		update parted set v = 'c';
		update parted set id = 3 - id;
		alter table nokey add primary key (v);
		update nokey set v = 'keyed now';
		alter table nokey drop constraint nokey_pkey;
		update nokey set v = 'keyless again';
		truncate later;
		create temp table t (v text); insert into t values ('a'); update t set v = 'b';
		create unlogged table u (v text); insert into u values ('a'); update u set v = 'b'; drop table u`)
	if _, err := long.Exec(t.Context(), "update keyed set v = 'longer' where id = 1000; commit"); err != nil {
		t.Errorf("the long transaction: %v", err)
	}
	again, _ := w.start(0)
	w.wait()
	w.same()

	// What changes columns stops a replica, until the bridge learns to evolve; the master never.
	again.stop()
	w.onMaster(`
		set lock_timeout = '2s';
		create index on keyed (v);
		alter table keyed add column more int default 5;
		update keyed set more = 6 where id < 10;
		alter table keyed drop column more, alter column id type bigint;
		update keyed set id = id + 10000;
		alter table keyed rename to renamed;
		alter table renamed drop constraint keyed_pkey;
		update renamed set v = 'no key';
		alter table renamed set unlogged;
		alter table renamed set logged;
		update renamed set v = 'logged again';
		alter schema public rename to private;
		update private.renamed set v = 'moved';
		alter schema private rename to public;
		drop table renamed, nokey, parted, later`)
	w.onMaster(`vacuum`)
}

// pg_dump and other readers hold locks on the sync table for hours: neither the next
// partition nor the trimming of old ones waits for them in a way that others wait.
func TestReadersOfTheLogBlockNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table a (id int primary key, v text)`)
	w.init()
	w.start(0)
	w.wait()
	reader, err := pgx.Connect(t.Context(), w.master.URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close(context.Background())
	if _, err := reader.Exec(t.Context(), "begin isolation level repeatable read; lock table bridge.commit_block, bridge.commit_part in access share mode; select count(*) from bridge.commit_block"); err != nil {
		t.Fatal(err)
	}
	partitions := func() int64 { return w.number(w.master.URL("app"), "select count(*) from bridge.log_partition") }
	was := partitions()
	if was != 1 {
		t.Fatalf("%d partitions, want 1", was)
	}
	// Enough blocks for the next partition, while the reader stands there.
	w.onMaster(`do $$ begin for i in 1..18000 loop insert into a values (i, 'x'); commit; end loop; end $$`)
	w.wait()
	if n := partitions(); n < 2 {
		t.Errorf("%d partitions, want 2", n)
	}
	// Trimming gives up while the reader is there, and others do not wait for long.
	w.eventually("the replica has told that it has applied the first partition", func() bool {
		return w.number(w.master.URL("app"), "select seq from bridge.replica") >= 16384
	})
	for range 30 {
		w.onMaster(`set statement_timeout = '3s'; select count(*) from bridge.commit_block; update a set v = 'y' where id = 1`)
		w.waitOne(0)
		time.Sleep(200 * time.Millisecond)
	}
	if n := partitions(); n < 2 {
		t.Errorf("%d partitions while they are read, want 2", n)
	}
	if _, err := reader.Exec(t.Context(), "commit"); err != nil {
		t.Fatal(err)
	}
	w.eventually("the first partition is dropped", func() bool { return partitions() == 1 })
	w.wait()
	w.same()
}

// A dead replica holds blocks for retain_for and no longer; then it is told that they
// are gone. As long as they are young, they stay.
func TestRetention(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 0, 0, 2)
	w.onMaster(`create table a (id int primary key, v text)`)
	w.init()
	w.start(0, pgbridge.Role{Replica: "r1"})
	tap, _ := w.start(0, pgbridge.Role{Tap: true})
	dead, _ := w.start(0, pgbridge.Role{Replica: "r2"})
	w.wait()
	dead.stop()
	at := w.position(1)
	w.onMaster(`do $$ begin for i in 1..18000 loop insert into a values (i, 'x'); commit; end loop; end $$`)
	w.waitOne(0)
	oldest := func(url string) int64 { return w.number(url, "select min(seq) from bridge.commit_block") }
	w.eventually("the living replica has told where it is", func() bool {
		return w.number(w.master.URL("app"), "select seq from bridge.replica where name = 'r1'") >= 18000
	})
	tap.stop()
	tap, _ = w.start(0, pgbridge.Role{Tap: true}) // trims as it starts
	w.waitOne(0)
	time.Sleep(time.Second)
	if n := oldest(w.master.URL("app")); n != 1 {
		t.Fatalf("log begins at block %d while a replica stands at %d, want 1", n, at)
	}
	tap.stop()
	w.config.Log.RetainBytes = 1 << 20
	tap, _ = w.start(0, pgbridge.Role{Tap: true})
	w.eventually("blocks beyond retain_bytes are dropped", func() bool { return oldest(w.master.URL("app")) > at+1 })
	tap.stop()
	w.config.Log.RetainBytes = 10 << 30
	w.config.Log.RetainFor = time.Millisecond
	w.start(0, pgbridge.Role{Tap: true})
	_, journal := w.start(0, pgbridge.Role{Replica: "r2"})
	reason := w.stands(1, fmt.Sprintf("block %d", at+1), fmt.Sprintf("starts at block %d", oldest(w.master.URL("app"))))
	if !strings.Contains(reason, "bridge drop --replica r2") {
		t.Errorf("the reason does not say what to do: %s", reason)
	}
	if journal.count("replica stands still") == 0 {
		t.Error("the log says nothing")
	}
	w.onMaster(`insert into a values (-5, 'the other goes on')`)
	w.waitOne(0)
}
