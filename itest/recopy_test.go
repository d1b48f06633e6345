package itest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	pgbridge "github.com/pgbridge/pgbridge"
)

// again is how far the copying of a table again is.
type again struct {
	state     string   // of bridge.copy_table; empty: it is not copied
	copied    int      // chunks
	snapshots []string // of these, in order
}

func (w *world) recopied(table string) (a again) {
	rows, err := tryQuery(w.t.Context(), w.replicas[0].URL("app"), `
		select t.state, c.chunk, c.snapshot
		from bridge.copy_table t
		left join bridge.copy_chunk c on c.relid = t.relid and c.snapshot is not null and c.chunk >= 0
		where table_name = '`+table+`' and exists (select from bridge.position where state = 'catching_up')
		order by c.chunk`)
	if err != nil {
		return a // the replica may be down
	}
	for _, row := range rows {
		f := strings.Split(row, "|")
		a.state = f[0]
		if f[1] != "null" {
			a.copied++
			a.snapshots = append(a.snapshots, f[1]+" "+f[2])
		}
	}
	return a
}

// underWay waits until so many chunks of a table are copied again, and more are to come.
func (w *world) underWay(table string, chunks int) again {
	w.t.Helper()
	var a again
	w.eventually("chunks of "+table+" are copied again", func() bool {
		a = w.recopied(table)
		return a.copied >= chunks
	})
	if a.state != "copying" {
		w.t.Fatalf("the copy of %s ended before anything could happen: %s, %d chunks", table, a.state, a.copied)
	}
	return a
}

// hold locks a table on the master, so that its copy stands still between two chunks, until
// release is called.
func (w *world) hold(table string) (conn *pgx.Conn, release func()) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.master.URL("app"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close(context.Background()) })
	for _, sql := range []string{"begin", "lock table " + table + " in access exclusive mode"} {
		if _, err := conn.Exec(w.t.Context(), sql); err != nil {
			w.t.Fatal(err)
		}
	}
	return conn, func() {
		w.t.Helper()
		if _, err := conn.Exec(w.t.Context(), "commit"); err != nil {
			w.t.Fatal(err)
		}
	}
}

// recopyTables are tables of many tiny chunks, and one whose changes shall not wait for them.
const recopyTables = `
	create table big (id int primary key, v text, n int, code int unique, long text);
	alter table big alter long set storage external;
	insert into big select i, 'v' || i, i, i, repeat('long' || i, 600) from generate_series(1, 2000) i;
	create table words (word text collate "C", part int, n int, note text, primary key (word, part));
	insert into words select md5(i::text), i % 3, i, repeat('n', 100) from generate_series(1, 2000) i;
	create table bag (k int, v text); insert into bag select i % 50, repeat('v', 100) from generate_series(1, 1000) i;
	create table other (id int primary key, n int); insert into other values (1, 0);
	analyze;`

// recopyStep changes them: keys move between the ranges, with and without the long value.
func recopyStep(s *client) error {
	id := s.rng.IntN(2200)
	return s.exec([]string{
		`update big set v = v || '!' where id between $1 and $1 + 5`,
		`update big set n = 1, long = long || 'x' where id = $1`,
		`update big set id = -id where id between $1 and $1 + 3`,
		`update big set id = 2200 - id where id between $1 and $1 + 3`,
		`delete from big where id between $1 and $1 + 2`,
		`insert into big select i, 'new', 0, null, repeat('z', 2500) from generate_series($1::int, $1::int + 3) i on conflict (id) do update set long = 'again', v = excluded.v`,
		`update big set code = case when code = $1 then $1 + 3000 when code > 3000 then code - 3000 end where code in ($1, $1 + 3000)`,
		`update words set word = md5(word), note = null where n = $1`,
		`update words set part = 2 - part where n between $1 and $1 + 1`,
		`delete from words where n = $1`,
		`insert into words values (md5(random()::text), 5, $1, 'new')`,
		`update bag set v = 'w' where k = $1 % 50 and v <> 'w'`,
		`delete from bag where ctid = (select ctid from bag where k = $1 % 50 limit 1)`,
		`insert into bag values ($1 % 50, null), ($1 % 50, 'new')`,
		`update other set n = n + 1 where id = 1 and $1 > 0`,
	}[s.rng.IntN(15)], id)
}

// A large table is rewritten and copied again in chunks, and everything else goes on meanwhile.
func TestStreamGoesOnWhileATableIsCopiedAgain(t *testing.T) {
	n := seed(t)
	w := newWorld(t, 0, 0, 1)
	w.onMaster(recopyTables)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	w.runTiny()
	w.follow()
	for i, rewrite := range []string{
		`alter table %s add u uuid default gen_random_uuid()`,
		`alter table %s alter u type text using u || '!'`,
	} {
		for _, table := range []string{"big", "words"} {
			load := w.work(n+uint64(i), 2, recopyStep)
			w.onMaster(`set lock_timeout = '30s'; ` + fmt.Sprintf(rewrite, table))
			w.underWay(table, 2)
			_, release := w.hold(table)
			before := w.recopied(table)
			mark := fmt.Sprint(1000 + 10*i + len(table))
			w.onMaster(`insert into other values (` + mark + `, 1)`)
			w.eventually("another table's row arrives", func() bool {
				return len(w.query(w.replicas[0].URL("app"), `select from other where id = `+mark)) == 1
			})
			now := w.recopied(table)
			if now.state != "copying" || now.copied > before.copied+1 {
				t.Fatalf("%s: %s, %d chunks, before %s, %d: it was not held", table, now.state, now.copied, before.state, before.copied)
			}
			release()
			load.stop()
			w.equal()
		}
	}
	w.logs()
}

// What was copied before an interruption is not copied again.
func TestCopyAgainGoesOnWhereItWas(t *testing.T) {
	n := seed(t)
	w := newWorld(t, 0, 0, 1)
	w.onMaster(recopyTables)
	w.init()
	tap := w.spawn("tap")
	applier := w.spawn("tiny")
	w.follow()
	w.onMaster(`alter table big add u uuid default gen_random_uuid()`)
	load := w.work(n, 2, recopyStep)
	seen := w.underWay("big", 3)
	for _, interruption := range []struct {
		name string
		how  func()
	}{
		{"the applier is killed", func() { applier.kill(); w.again(applier) }},
		{"the replica is killed", func() { w.end(w.replicas[0], 0); w.begin(w.replicas[0]) }},
		{"the master is killed", func() { w.end(w.master, 0); w.begin(w.master) }},
		{"the tap is killed", func() { tap.kill(); w.again(tap) }},
		{"the copying connections are ended", func() {
			w.exec(w.master.URL("postgres"), `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'bridge copy%'`)
		}},
	} {
		interruption.how()
		now := w.underWay("big", len(seen.snapshots)+1)
		// The replica's server can have lost the last ones, together with the position.
		for i, snapshot := range seen.snapshots[:len(seen.snapshots)-2] {
			if now.snapshots[i] != snapshot {
				t.Errorf("%s: chunk was read with snapshot %s, is now %s", interruption.name, snapshot, now.snapshots[i])
			}
		}
		seen = now
	}
	load.stop()
	w.equal()
	w.logs()
}

// The schema of a table changes in every way while the table is copied again.
func TestSchemaChangesWhileATableIsCopiedAgain(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	changes := []string{
		`alter table %s add w int not null default 5`,
		`alter table %s add u uuid default gen_random_uuid()`,
		`alter table %s drop v`,
		`alter table %s rename v to w`,
		`alter table %s rename id to key`,
		`alter table %s rename to %[1]s_renamed; create view %[1]s as select * from %[1]s_renamed`,
		`alter table %s alter n type text using n || '!'`,
		`drop table %s`,
		`drop table %s; create table %[1]s (id int primary key, v text, n bigint); insert into %[1]s select i, 'new', i from generate_series(1, 400) i`,
		`alter table %s drop constraint %[1]s_pkey, add primary key (n)`,
		`alter table %s drop constraint %[1]s_pkey; update %[1]s set v = 'without a key' where id < 500; delete from %[1]s where id %% 3 = 0`,
		`create unique index on %s (n, v); alter table %[1]s add check (n > -100000)`,
		`update %s set v = 'x' where v is null; alter table %[1]s alter v set not null; alter table %[1]s alter v drop not null; update %[1]s set v = null where id %% 9 = 0`,
		`create table %s_more (id int primary key, t int references %[1]s); insert into %[1]s_more select id, id from %[1]s limit 10`,
		`alter table %s set schema other`,
		`truncate %s; alter table %[1]s add w text default 'w'; insert into %[1]s select i, 'v', i from generate_series(1, 50) i`,
		`truncate %s; insert into %[1]s select i, 'v', i from generate_series(1, 3000) i`,
		`alter table %s drop v, add v text default 'again'`,
		`alter table %s alter id type bigint`,
		`alter table %s replica identity full`,
		`create materialized view %s_seen as select count(*) from %[1]s; refresh materialized view %[1]s_seen`,
	}
	setup := `create schema other; create table other_one (id int primary key);`
	for i := range changes {
		setup += fmt.Sprintf(`create table b%d (id int primary key, v text, n int); insert into b%[1]d select i, repeat('v', 50), i from generate_series(1, 3000) i;`, i)
	}
	w.onMaster(setup + `analyze`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	w.runTiny()
	w.follow()
	for i, change := range changes {
		name := fmt.Sprintf("b%d", i)
		touch := fmt.Sprintf(`update %s set n = -n where id %% 50 = %d; delete from %[1]s where id %% 50 = %[3]d; update %[1]s set id = id + 10000 where id %% 50 = %[4]d;`, name, i, i+1, i+2)
		w.steps(fmt.Sprintf(`alter table %s alter n type bigint`, name))
		w.underWay(name, 3)
		conn, release := w.hold(name)
		if a := w.recopied(name); a.state != "copying" {
			t.Errorf("%s: the copy ended before anything could happen: %s", change, a.state)
		}
		for _, sql := range []string{touch + fmt.Sprintf(change, name) + `; insert into other_one values (` + fmt.Sprint(i) + `)`} {
			if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Fatalf("%s: %v", abbreviate(sql), err)
			}
		}
		release()
	}
	w.equal()
	w.logs()
}

// Rows that were there before a check constraint, which is not valid for them, are copied again; also where it comes from a parent.
func TestRowsThatNoCheckFitsAreCopiedAgain(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create table plain (id int primary key, v text, n int);
		create table parts (id int primary key, v text, n int) partition by range (id);
		create table parts_low partition of parts for values from (minvalue) to (100);
		create table parts_high partition of parts for values from (100) to (maxvalue) partition by range (id);
		create table parts_all partition of parts_high default;
		create table parent (id int primary key, v text, n int);
		create table child (primary key (id)) inherits (parent);
		create table own (primary key (id), constraint k check (v <> '')) inherits (parent);
		insert into plain select i, '', i from generate_series(1, 300) i;
		insert into parts select i, case when i < 100 then 'v' else '' end, i from generate_series(1, 300) i;
		insert into parent select i, '', i from generate_series(1, 300) i;
		insert into child select i, '', i from generate_series(1, 300) i;
		insert into own select i, 'v', i from generate_series(1, 300) i;
		alter table plain add constraint k check (v <> '') not valid;
		alter table parts add constraint k check (v <> '') not valid;
		alter table parent add constraint k check (v <> '') not valid;
		alter table parts_low validate constraint k;
		comment on constraint k on parts is 'all';
		comment on constraint k on parts_all is 'these';
		comment on constraint k on own is 'its own'`)
	w.init()
	w.run()
	w.follow()
	w.steps(`alter table plain alter n type bigint`, `alter table parts alter n type bigint`, `alter table parent alter n type bigint`)
	w.equal()
	const checks = `
		select conrelid::regclass, convalidated, conislocal, coninhcount, obj_description(oid, 'pg_constraint')
		from pg_constraint where conname = 'k' order by conrelid::regclass::text`
	want, have := w.query(w.master.URL("app"), checks), w.query(w.replicas[0].URL("app"), checks)
	if fmt.Sprint(want) != fmt.Sprint(have) {
		t.Errorf("check constraints: master\n%s\nreplica\n%s", strings.Join(want, "\n"), strings.Join(have, "\n"))
	}
	w.logs()
}

// What a worker reads a chunk to stays in the catalogs for a while when the server is killed, without its file. Types that the
// table uses are changed and dropped all the same.
func TestTypesChangeBehindAKilledCopy(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create domain amount as int check (value > -100000);
		create type mood as enum ('glad', 'sad');
		create type place as (x int, note text);
		create type span as range (subtype = int);
		create table typed (id int primary key, a amount, m mood, p place, s span, list mood[], v text, twice int generated always as (id * 2) stored, n int);
		insert into typed (id, a, m, p, s, list, v, n) select i, i, 'glad'::mood, row(i, 'x, "y"')::place, span(i, i + 9), '{sad,glad}'::mood[], repeat('v', 50), i from generate_series(1, 3000) i;
		insert into typed (id) select i from generate_series(3001, 3010) i;
		analyze`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	w.runTiny()
	w.follow()
	w.steps(`alter table typed alter n type bigint`)
	w.underWay("typed", 3)
	conn, release := w.hold("typed")
	if types := w.query(w.replicas[0].URL("app"), `
		select distinct a.atttypid::regtype from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
		where c.relname = 'bridge_chunk' order by 1`); fmt.Sprint(types) != "[bigint integer text]" {
		t.Errorf("a chunk is read to columns of types %s", types)
	}
	w.end(w.replicas[0], 0)
	if _, err := conn.Exec(t.Context(), `
		alter domain amount add check (value < 100000);
		alter table typed drop m, drop p, drop s, drop list;
		drop type mood; drop type place; drop type span`, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	release()
	w.begin(w.replicas[0])
	w.equal()
	w.logs()
}

// Values that are unique move from row to row, and rows from key to key, while their table is copied
// again: its chunks are of one moment, whatever there is in between.
func TestUniqueValuesMoveWhileATableIsCopiedAgain(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table t (id int primary key, code int unique, v text, long text);
		alter table t alter long set storage external;
		insert into t select i, i, repeat('v', 100), repeat('l', 2500) from generate_series(1, 1500) i; analyze`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	w.runTiny()
	w.follow()
	w.onMaster(`alter table t add u uuid default gen_random_uuid()`)
	chunks := 0
	for round := range 5 {
		chunks = w.underWay("t", chunks+2).copied
		conn, release := w.hold("t")
		for _, sql := range []string{
			`update t set code = -code`,
			`update t set code = 1501 + code`, // what was at one end is at the other
			fmt.Sprintf(`update t set id = -id where id %% 50 = %d`, round),
			fmt.Sprintf(`update t set id = 3000 - id where id %% 50 = 10 + %d and id > 0`, round),
		} {
			if _, err := conn.Exec(t.Context(), sql); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		release()
		w.onMaster(fmt.Sprintf(`update t set long = long || '!' where id < 0; delete from t where code between 700 and 702 + %d`, round))
	}
	w.equal()
	w.logs()
}

// At random: rows and keys change, tables are rewritten and repaired, everything is killed.
func TestKilledWhileTablesAreCopiedAgain(t *testing.T) {
	n := seed(t)
	rng := rand.New(rand.NewPCG(n, 1<<32))
	w := newWorld(t, 0, 0, 1, streamEverything())
	w.config.Window.Transactions = 1 + rng.IntN(100)
	w.onMaster(recopyTables)
	w.init()
	tap := w.spawn("tap")
	applier := w.spawn("tiny")
	w.follow()
	load := w.work(n, 3, recopyStep)
	total := rounds(t, 12, 5)
	for round := range total {
		table := []string{"big", "words", "bag"}[rng.IntN(3)]
		rewrite := strings.NewReplacer("TABLE", table, "N", fmt.Sprint(round)).Replace([]string{
			`alter table TABLE add u uuid default gen_random_uuid(); alter table TABLE drop u`,
			`alter table TABLE add fN uuid default gen_random_uuid(), add gN int default 5`,
			`alter table TABLE set unlogged; alter table TABLE set logged`,
			`alter table TABLE add eN uuid default gen_random_uuid(); alter table TABLE alter eN type text using md5(eN::text)`,
			`alter table TABLE add dN float8 default random()`,
			`repair`,
		}[rng.IntN(6)])
		if rewrite == "repair" {
			oid := w.query(w.master.URL("app"), `select '`+table+`'::regclass::oid`)[0]
			w.onReplica(0, `insert into bridge.copy_table values ('public', '`+table+`', `+oid+`, 'wanted', false, 0, 0) on conflict (relid) do update set state = 'wanted'`)
		} else if err := try(t.Context(), w.master.URL("app"), `set lock_timeout = '5s'; `+rewrite); err != nil {
			t.Logf("%s: %v", abbreviate(rewrite), err)
		}
		time.Sleep(time.Duration(200+rng.IntN(900)) * time.Millisecond)
		what := ""
		switch rng.IntN(6) {
		case 0, 1:
			what = "the applier is killed"
			applier.kill()
			w.again(applier)
		case 2:
			what = "the replica is " + w.end(w.replicas[0], rng.IntN(3))
			w.begin(w.replicas[0])
		case 3:
			what = "the master is " + w.end(w.master, rng.IntN(3))
			w.begin(w.master)
		case 4:
			what = "the tap is killed"
			tap.kill()
			w.again(tap)
		}
		t.Logf("round %d: %s: %s %s", round+1, table, abbreviate(rewrite), what)
		if (round+1)%4 == 0 && round+1 < total {
			load.stop()
			w.equal()
			load = w.work(n+uint64(round)+1, 3, recopyStep)
		}
	}
	load.stop()
	w.equal()
	w.logs()
}
