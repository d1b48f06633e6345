package itest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/pgserver/pgtest"

	pgbridge "github.com/pgbridge/pgbridge"
)

// follow waits until the replicas show what is committed now. A replica that stands still
// with the same error for a while ends the test: it would do so for as long as one waits.
func (w *world) follow() {
	w.t.Helper()
	const marker = `select pg_current_wal_insert_lsn() from pg_logical_emit_message(true, 'bridge.marker', '')`
	const patience, standing = 3 * time.Minute, 20 * time.Second
	w.eventually("what others were at is captured again", func() bool {
		return w.query(w.master.URL("app"), `select exists (select from bridge.uncaptured where pause = '0')`)[0] == "f"
	})
	w.eventually("tables are published that could not be at once", func() bool {
		return w.query(w.master.URL("app"), `select exists (select from bridge.pending_table)`)[0] == "f"
	})
	lsn := w.query(w.master.URL("app"), marker)[0]
	for i := range w.replicas {
		deadline, since, last := time.Now().Add(patience), time.Now(), ""
		for {
			rows, err := tryQuery(w.t.Context(), w.replicas[i].URL("app"), "select commit_lsn >= '"+lsn+"' and state = 'streaming' and error = '', error from bridge.position")
			problem := ""
			if err == nil && len(rows) > 0 {
				if strings.HasPrefix(rows[0], "t|") {
					break
				}
				_, problem, _ = strings.Cut(rows[0], "|")
			}
			if problem != last || problem == "" {
				since, last = time.Now(), problem
			}
			if time.Now().After(deadline) || time.Since(since) > standing {
				w.t.Fatalf("replica %d does not reach %s:\n%s", i+1, lsn, w.standing())
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// equal follows, and compares schema and rows.
func (w *world) equal() {
	w.t.Helper()
	w.follow()
	w.sameSchema()
	w.same()
}

// steps runs statements on the master, each a transaction.
func (w *world) steps(statements ...string) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.master.URL("app"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, sql := range statements {
		if _, err := conn.Exec(w.t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			w.t.Fatalf("%s: %v", abbreviate(sql), err)
		}
	}
}

// What a large table holds stays where it is when a column only gets another name, or a
// constant default.
func TestRenameCopiesNothing(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table large (id int primary key, v int, note text); create index on large (v);
		insert into large select i, i, 'n' from generate_series(1, 1000000) i`)
	w.init()
	w.run()
	w.follow()
	const places = `
		select c.relname, c.relfilenode, c.oid from pg_class c
		where c.oid = 'large'::regclass or c.oid in (select indexrelid from pg_index where indrelid = 'large'::regclass)
		order by 1`
	const rows = `select count(*), sum(hashtext(ctid::text || ' ' || xmin || ' ' || id)::bigint) from large`
	beforePlaces, beforeRows := w.query(w.replicas[0].URL("app"), places), w.query(w.replicas[0].URL("app"), rows)
	start := time.Now()
	w.steps(
		`alter table large rename note to remark`,
		`alter table large rename v to value`,
		`alter table large add added timestamptz not null default now(), add constant int default 7`,
		`alter table large alter value set not null`,
		`alter table large add check (id > 0) not valid`,
	)
	w.follow()
	t.Logf("five changes of a table of 1,000,000 rows took %s until the replica had them", time.Since(start).Round(time.Millisecond))
	afterPlaces, afterRows := w.query(w.replicas[0].URL("app"), places), w.query(w.replicas[0].URL("app"), rows)
	if fmt.Sprint(beforePlaces) != fmt.Sprint(afterPlaces) {
		t.Errorf("files were %v, are %v", beforePlaces, afterPlaces)
	}
	if beforeRows[0] != afterRows[0] {
		t.Errorf("rows were written again: %v, then %v", beforeRows, afterRows)
	}
	w.sameSchema()
	const values = `select count(*), count(distinct added), min(added), sum(constant), sum(value) from large`
	if want, have := w.query(w.master.URL("app"), values), w.query(w.replicas[0].URL("app"), values); want[0] != have[0] {
		t.Errorf("values: master %v, replica %v", want, have)
	}
}

// Values that the master has drawn are the replica's too.
func TestRandomDefaultsAreTheMasters(t *testing.T) {
	w := newWorld(t, 0, 0, 2)
	w.onMaster(`create table t (id int primary key, v text); insert into t select i, 'v' || i from generate_series(1, 5000) i;
		create table bag (v text); insert into bag select 'v' || i % 10 from generate_series(1, 1000) i`)
	w.init()
	w.run()
	w.follow()
	w.steps(
		`alter table t add u uuid not null default gen_random_uuid()`,
		`insert into t values (10000, 'new'); update t set v = 'changed' where id % 100 = 0; delete from t where id % 77 = 0`,
		`alter table bag add r float8 default random()`,
		`update bag set v = 'changed' where v = 'v3'; insert into bag values ('new')`,
	)
	w.equal()
	w.steps(`begin; update t set v = 'x' where id < 50; alter table t add at timestamptz default clock_timestamp(); update t set v = 'y' where id < 20; commit`)
	w.equal()
	w.logs()
}

// everyStep are changes that a table and its surroundings may see one after the other.
func everyStep(i int) []string {
	return []string{
		fmt.Sprintf(`alter table t add c%d int default %[1]d`, i),
		fmt.Sprintf(`alter table t rename c%d to d%[1]d`, i),
		fmt.Sprintf(`create table made_%d (id int primary key, d int references t)`, i),
		fmt.Sprintf(`create index on t (d%d) where id > 0`, i),
		fmt.Sprintf(`create view seen_%d as select id, d%[1]d from t`, i),
		fmt.Sprintf(`alter type mood add value 'm%d'`, i),
		fmt.Sprintf(`alter table made_%d rename to renamed_%[1]d`, i),
		fmt.Sprintf(`alter table t add constraint k%d check (d%[1]d <> -1) not valid`, i),
		fmt.Sprintf(`drop view seen_%d; alter table t drop d%[1]d`, i),
		fmt.Sprintf(`alter table t alter n type %s`, []string{"bigint", "numeric", "text using n::text", "int using n::int"}[i%4]),
	}
}

const stepTables = `
	create type mood as enum ('m');
	create table t (id int primary key, n int, v text, m mood default 'm');
	insert into t select i, i, 'v' from generate_series(1, 100) i;`

// A replica that was away finds its way through all that has happened.
func TestAwayDuringManySchemaChanges(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(stepTables)
	w.init()
	w.spawn("tap")
	applier := w.spawn("replica=r1")
	w.follow()
	applier.kill()
	changes := 0
	for i := range 10 {
		for k, sql := range everyStep(i) {
			changes++
			w.steps(sql, fmt.Sprintf(`update t set v = 'v%d' where id %% 10 = %d`, i, k), fmt.Sprintf(`insert into t (id) values (%d)`, 1000+changes), fmt.Sprintf(`delete from t where id = %d`, changes))
		}
	}
	t.Logf("%d changes while the replica was away", changes)
	w.again(applier)
	w.equal()
	w.logs()
}

// A label is added to the type that has the name by then, not to the one that had it when the window began.
func TestLabelOfATypeThatWasMadeAgain(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create type a as enum ('x', 'new'); create type b as enum ('x', 'new'); create type c as enum ('x'); create type d as enum ('x', 'new');
		create table t (id int primary key)`)
	w.init()
	w.spawn("tap")
	applier := w.spawn("replica=r1")
	w.follow()
	applier.kill()
	w.steps(
		`insert into t values (1)`,
		`drop type a`, `create type a as enum ('x')`, `alter type a add value 'new' before 'x'`,
		`drop type b; create type b as enum ('x'); alter type b add value 'new' before 'x'`,
		`alter type d rename to e`, `alter type c rename to d`, `alter type d add value 'new'`,
		`create table u (id int primary key, a a default 'new', b b default 'new', d d default 'new')`,
		`insert into u values (1)`,
	)
	w.again(applier)
	w.equal()
	w.logs()
}

// A transaction writes a label, and ends behind another one that renames it.
func TestLabelIsRenamedBeforeARowIsThere(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create type e as enum ('a', 'b'); create table t (id int primary key, e e, list e[]); insert into t select i, 'b', '{a,b}' from generate_series(1, 100) i`)
	w.init()
	w.run()
	w.follow()
	conn, err := pgx.Connect(t.Context(), w.master.URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, sql := range []string{`begin`, `update t set e = 'a' where id < 10; insert into t values (101, 'a')`} {
		if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
	}
	w.steps(`alter type e rename value 'a' to 'c'`)
	if _, err := conn.Exec(t.Context(), `commit`); err != nil {
		t.Fatal(err)
	}
	w.steps(`update t set e = 'c', list = '{c}' where id > 90; delete from t where id = 5`)
	w.equal()
	w.logs()
}

// Labels take each other's names while a transaction is open that has written them: what it wrote is read by the names as they were, and
// must not become what has the names now.
func TestLabelsTakeEachOthersNames(t *testing.T) {
	for _, c := range []struct {
		name    string
		rows    int  // of the transaction
		again   bool // the bridge ends between the renaming and the commit, and begins again
		options []pgtest.Option
	}{
		{"whole", 10, false, nil},
		{"streamed", 5000, false, []pgtest.Option{streamEverything()}},
		{"the bridge begins again", 10, true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 0, 0, 1, c.options...)
			w.onMaster(`create type e as enum ('a', 'b', 'c'); create domain d as e; create type pair as (e e, n int);
				create table t (id int primary key, e e, list e[], d d, pair pair);
				create table plain (id int primary key, v text);
				insert into t select i, 'b', '{a,b}', 'b', '(a,1)' from generate_series(1, 100) i`)
			w.init()
			running := w.run()
			w.follow()
			conn, err := pgx.Connect(t.Context(), w.master.URL("app"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.Background())
			for _, sql := range []string{`begin`, `delete from t where id between 10 and 20; update t set e = 'a', pair = '(b,2)' where id < 10`,
				fmt.Sprintf(`insert into t select i, 'a', '{a,b}', 'b', '(a,3)' from generate_series(1001, 1000 + %d) i`, c.rows),
				fmt.Sprintf(`insert into plain select i, 'a' from generate_series(1, %d) i`, c.rows)} {
				if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
					t.Fatal(err)
				}
			}
			// Nobody else's rows are decoded meanwhile: the server would remember the new names with them.
			w.steps(`alter type e rename value 'b' to 'x'`, `begin; alter type e rename value 'a' to 'b'; alter type e rename value 'c' to 'a'; commit`)
			w.follow()
			if c.again {
				running.stop()
				w.run()
				w.follow()
			}
			if _, err := conn.Exec(t.Context(), `insert into t values (-3, 'x', '{x,b}', 'a', '(b,9)')`, pgx.QueryExecModeSimpleProtocol); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), `commit`); err != nil {
				t.Fatal(err)
			}
			w.steps(`update t set e = 'b', list = '{a}' where id > 90 and id < 1003; delete from t where id = 5`)
			w.equal()
			w.logs()
			for _, replica := range w.replicas {
				if n := w.number(replica.URL("app"), `select count(*) from t where e = 'b' and id > 1000`); n != int64(c.rows) {
					t.Errorf("%d rows of the transaction have the label as it is called now, want %d", n, c.rows)
				}
			}
		})
	}
}

// What the replica has of its own stays.
func TestReplicasOwnObjectsStay(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table t (id int primary key, v text, n int); insert into t select i, 'v' || i, i from generate_series(1, 200) i`)
	w.init()
	w.run()
	w.follow()
	w.onReplica(0, `create index mine on t (v, n); create index of_key on t ((id + 1));
		create table own (id int primary key, t int); insert into own select i, i from generate_series(1, 10) i;
		create schema reports; create table reports.facts as select * from t`)
	const own = `
		select 'index ' || c.relname || ' ' || i.indisvalid || ' ' || pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indexrelid where c.relname in ('mine', 'of_key')
		union all select 'own ' || count(*) from own
		union all select 'facts ' || count(*) from reports.facts
		order by 1`
	for _, step := range []struct{ name, sql, replace, with string }{
		{"add a column", `alter table t add w int default 5; insert into t values (1000, 'a', 1)`, "", ""},
		{"rename a column", `alter table t rename v to name; update t set name = 'b' where id = 1`, "(v,", "(name,"},
		{"rewrite another column", `alter table t alter w type text using w || '!'; update t set name = 'c' where id = 2`, "", ""},
		{"rewrite with values of the master's", `alter table t add u uuid default gen_random_uuid(); update t set name = 'd' where id = 3`, "", ""},
		{"rewrite an indexed column", `alter table t alter n type bigint; update t set name = 'e' where id = 4`, "", ""},
		{"rename the table", `alter table t rename to things; update things set name = 'f' where id = 5`, "public.t ", "public.things "},
	} {
		before := w.query(w.replicas[0].URL("app"), own)
		w.steps(step.sql)
		w.follow()
		after := w.query(w.replicas[0].URL("app"), own)
		want := strings.Join(before, "\n")
		if step.replace != "" {
			want = strings.ReplaceAll(want, step.replace, step.with)
		}
		if have := strings.Join(after, "\n"); have != want {
			t.Errorf("%s: the replica's own objects are\n%s\nwant\n%s", step.name, have, want)
		}
	}
	want, err := dump(t.Context(), w.master.URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	have, err := dump(t.Context(), w.replicas[0].URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	if difference := firstDifference(want["public.things"], have["public.things"]); difference != "" {
		t.Error(difference)
	}
}

// Who reads a table on the replica for long is not thrown out; the change waits, others
// can read meanwhile, and when the reader has ended everything goes on.
func TestLongReaderOnTheReplica(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table t (id int primary key, v text); insert into t select i, 'v' from generate_series(1, 100) i;
		create table u (id int primary key)`)
	w.init()
	w.run()
	w.follow()
	reader, err := pgx.Connect(t.Context(), w.replicas[0].URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close(context.Background())
	count := func() (n int) {
		t.Helper()
		if err := reader.QueryRow(t.Context(), `select count(*) from t`).Scan(&n); err != nil {
			t.Fatalf("the long reader: %v", err)
		}
		return n
	}
	if _, err := reader.Exec(t.Context(), `begin`); err != nil {
		t.Fatal(err)
	}
	count()
	w.steps(`alter table t add w int default 1`, `insert into t values (1000, 'x', 2)`, `insert into u values (1)`)
	w.eventually("the change meets the reader", func() bool {
		rows := w.query(w.replicas[0].URL("app"), `
			select (select count(*) from pg_locks where relation = 't'::regclass and not granted) > 0
				or (select error <> '' from bridge.position)`)
		return len(rows) == 1 && rows[0] == "t"
	})
	for range 5 {
		w.eventually("another reader gets its turn", func() bool {
			return try(t.Context(), w.replicas[0].URL("app"), `set statement_timeout = '10s'; select count(*) from t`) == nil
		})
	}
	if n := count(); n != 100 {
		t.Errorf("the long reader sees %d rows, want 100", n)
	}
	if _, err := reader.Exec(t.Context(), `commit`); err != nil {
		t.Errorf("the long reader ends: %v", err)
	}
	w.equal()
}

// Tables change in every way while they are copied for the first time.
func TestSchemaChangesDuringTheCopy(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	changes := []string{
		`alter table %s add w int not null default 5`,
		`alter table %s add u uuid default gen_random_uuid()`,
		`alter table %s drop v`,
		`alter table %s rename v to w`,
		`alter table %s rename to %[1]s_renamed; create view %[1]s as select * from %[1]s_renamed`,
		`alter table %s alter n type text using n || '!'`,
		`drop table %s`,
		`drop table %s; create table %[1]s (id int primary key, v text, n bigint); insert into %[1]s select i, 'new', i from generate_series(1, 400) i`,
		`alter table %s drop constraint %[1]s_pkey, add primary key (n)`,
		`create unique index on %s (n, v); alter table %[1]s add check (n > -100000)`,
		`create table %s_more as select * from %[1]s; alter table %[1]s add g int generated always as (n + 1) stored`,
		`alter table %s set schema other`,
		`truncate %s; alter table %[1]s add w text default 'w'; insert into %[1]s select i, 'v', i from generate_series(1, 50) i`,
		`alter table %s alter m type text; alter table %[1]s drop m, add m int default 3`,
		`alter table %s drop v, add v text default 'again'`,
	}
	setup := `create schema other; create type mood as enum ('sad', 'ok');`
	for i := range changes {
		setup += fmt.Sprintf(`create table b%d (id int primary key, v text, n int, m mood default 'sad'); insert into b%[1]d select i, repeat('v', 50), i from generate_series(1, 3000) i;`, i)
	}
	w.onMaster(setup + `analyze`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	w.runTiny()
	during, seen := 0, 0
	for i, change := range changes {
		ended := false
		w.eventually("chunks are copied", func() bool {
			rows, err := tryQuery(t.Context(), w.replicas[0].URL("app"), `
				select (select count(snapshot) from bridge.copy_chunk), (select state <> 'copying' from bridge.position)`)
			if err != nil || len(rows) == 0 {
				return false
			}
			copied := 0
			fmt.Sscanf(rows[0], "%d|", &copied)
			ended = strings.HasSuffix(rows[0], "|t")
			enough := max(copied-seen, seen-copied) > 2 // chunks of finished tables are not counted any more
			if enough {
				seen = copied
			}
			return ended || enough
		})
		if !ended {
			during++
		}
		name := fmt.Sprintf("b%d", i)
		touch := fmt.Sprintf(`update %s set n = -n where id %% 50 = %d; delete from %[1]s where id %% 50 = %[3]d; update %[1]s set id = id + 10000 where id %% 50 = %[4]d;`, name, i, i+1, i+2)
		w.steps(touch, `begin; `+touch+fmt.Sprintf(change, name)+`; commit`)
		if i%4 == 1 {
			w.steps(fmt.Sprintf(`alter type mood add value 'm%d'`, i))
		}
	}
	t.Logf("%d of %d changes while rows were copied", during, len(changes))
	if during == 0 {
		t.Error("the copy ended before anything could happen")
	}
	w.equal()
	w.logs()
}

// Models that no block refers to any more do not pile up.
func TestModelsDoNotPileUp(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	const schema = `
		create type mood as enum ('a', 'b');
		create domain pos as int check (value > 0);
		create sequence s;
		create table p (id int primary key, m mood default 'a', n pos);
		create table k (id serial primary key, p int references p, v text unique check (v <> ''));
		create index on k (lower(v));
		create view pv as select p.id, k.v from p join k on k.p = p.id;
		create materialized view mv as select count(*) as n from p;
		create function f() returns trigger language plpgsql as $$ begin return new; end $$;
		create trigger tr before insert on k for each row execute function f();
		comment on table p is 'parents';
		insert into p values (1, 'b', 5); insert into k (p, v) values (1, 'x');`
	w.onMaster(schema)
	w.init()
	w.run()
	w.follow()
	turns := rounds(t, 200, 30)
	start := time.Now()
	for range turns {
		w.steps(`drop schema public cascade`, `create schema public`, schema)
	}
	written := time.Since(start)
	w.follow()
	t.Logf("%d times everything new: %s each on the master, %s until the replica had it", turns,
		(written / time.Duration(turns)).Round(time.Millisecond), (time.Since(start) / time.Duration(turns)).Round(time.Millisecond))
	w.sameSchema()
	w.same()
	const figures = `
		select
			(select count(*) from bridge.model),
			(select count(*) from bridge.model_object),
			(select count(*) from bridge.model_object o where not exists (select from bridge.model m where o.checksum = any (m.objects))),
			pg_size_pretty(pg_total_relation_size('bridge.model') + pg_total_relation_size('bridge.model_object'))`
	// Not in one query: it takes long while there are many models, and a partition of the log that somebody reads is not dropped.
	count := func(url string) string {
		return w.query(url, figures)[0] + "|" + w.query(url, `select count(*) from bridge.commit_block`)[0]
	}
	sides := []struct{ name, url string }{{"master", w.master.URL("app")}, {"replica", w.replicas[0].URL("app")}}
	for _, side := range sides {
		t.Logf("%s: models, objects, objects of no model, size, blocks: %s", side.name, count(side.url))
	}
	w.logs()
	// The blocks go, a partition at a time, and with them what only they refer to.
	w.steps(`create table ticks (n int primary key)`)
	w.steps(`do $$ begin for i in 1..17000 loop insert into ticks values (i); commit; end loop; end $$`)
	w.follow()
	for _, side := range sides {
		last := ""
		gone := func() bool {
			last = count(side.url)
			var models, objects, needless, blocks int
			fields := strings.Split(last, "|")
			for i, n := range map[int]*int{0: &models, 1: &objects, 2: &needless, 4: &blocks} {
				if _, err := fmt.Sscan(fields[i], n); err != nil {
					t.Fatalf("%q: %v", last, err)
				}
			}
			// A replica's partitions begin elsewhere, so it may keep the first one for longer.
			return needless <= 100 && (models <= 10 || side.name == "replica" && blocks > 17000)
		}
		deadline := time.Now().Add(time.Minute)
		for !gone() {
			if time.Now().After(deadline) {
				t.Errorf("%s: models of blocks that are gone stay: models, objects, objects of no model, size, blocks: %s", side.name, last)
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Logf("%s, with its blocks gone: %s", side.name, last)
	}
}

// Where the statement stands does not matter.
func TestSchemaChangesFromWithin(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table t (id int primary key, v text); insert into t values (1, 'a');
		create table p (id int primary key); create table k (id int primary key, p int references p); create table kept (id int primary key);
		create function change(name text) returns int language plpgsql security definer as $$
		begin
			execute format('alter table t add %I int default 1', name);
			execute format('create table if not exists %I (id int primary key)', 'table_' || name);
			execute format('insert into %I values (1)', 'table_' || name);
			return (select count(*) from t);
		end $$;
		create procedure changes() language plpgsql as $$
		begin
			for i in 1..3 loop perform change('p' || i); commit; end loop;
		end $$`)
	w.init()
	w.run()
	w.follow()
	w.steps(
		`select change('f1'), change('f2')`,
		`insert into p select change('f' || i) + 100 * i from generate_series(3, 5) i`,
		`do $$ begin perform change('d1'); alter table t rename d1 to d2; update t set d2 = 5; begin alter table t drop d2; raise exception 'no'; exception when others then null; end; end $$`,
		`call changes()`,
		`set session_replication_role = replica; alter table t add replicated text default 'r'; insert into k values (1, 99); create table made (id int primary key); insert into made values (1); alter table k drop p; drop table p`,
		`with x as (select change('cte') as n) insert into kept select n + 5000 from x`,
		`create or replace function change(name text) returns int language sql as 'select 0'`,
	)
	w.equal()
	w.logs()
}

// Two sessions change tables that one view reads, at the same time.
func TestConcurrentChangesBelowOneView(t *testing.T) {
	n := seed(t)
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table a (id int primary key, v text); create table b (id int primary key, v text);
		create view both_tables as select a.id, a.v, b.v as w from a join b using (id);
		create view over_both as select count(*) as n from both_tables;
		insert into a select i, 'a' from generate_series(1, 50) i; insert into b select i, 'b' from generate_series(1, 50) i`)
	w.init()
	w.run()
	w.follow()
	var sessions sync.WaitGroup
	for k, table := range []string{"a", "b"} {
		rng := rand.New(rand.NewPCG(n, uint64(k)))
		sessions.Go(func() {
			conn, err := pgx.Connect(t.Context(), w.master.URL("app"))
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close(context.Background())
			names := [2]string{"v", "vv"}
			for i := range 40 {
				statements := []string{
					fmt.Sprintf(`alter table %s add c%d int default %[2]d`, table, i),
					fmt.Sprintf(`alter table %s rename %s to %s`, table, names[0], names[1]),
					fmt.Sprintf(`begin; update %s set id = id where id < 10; alter table %[1]s add tmp int; update %[1]s set tmp = 1 where id = 5; alter table %[1]s drop tmp; commit`, table),
					fmt.Sprintf(`create or replace view both_tables as select a.id, a.%s, b.%s as w from a join b using (id) where a.id > %d`, "v", "v", i),
					fmt.Sprintf(`insert into %s (id) values (%d)`, table, 1000+i),
				}
				which := rng.IntN(len(statements))
				_, err := conn.Exec(t.Context(), statements[which], pgx.QueryExecModeSimpleProtocol)
				if err == nil && which == 1 {
					names[0], names[1] = names[1], names[0]
				}
				if err != nil {
					conn.Exec(t.Context(), `rollback`, pgx.QueryExecModeSimpleProtocol)
				}
			}
		})
	}
	sessions.Wait()
	w.equal()
	w.logs()
}

// An index that is built beside the writers is there on the replica, and valid.
func TestIndexConcurrently(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table t (id int primary key, v text); insert into t select i, 'v' || i % 100 from generate_series(1, 20000) i`)
	w.init()
	w.run()
	w.follow()
	load := w.work(seed(t), 2, func(s *client) error {
		return s.exec(`insert into t values ($1, 'w') on conflict (id) do update set v = t.v || 'x'`, 19000+s.rng.IntN(3000))
	})
	w.eventually("there is some work", func() bool { return load.commits.Load() > 20 })
	w.steps(`create index concurrently t_v on t (v)`)
	w.steps(`create unique index concurrently t_u on t (id desc) include (v)`)
	w.steps(`reindex index concurrently t_v`)
	w.steps(`create index concurrently gone on t (v, id)`)
	w.steps(`drop index concurrently gone`)
	load.stop()
	w.equal()
	const indexes = `select c.relname, i.indisvalid, i.indisready from pg_index i join pg_class c on c.oid = i.indexrelid where i.indrelid = 't'::regclass order by 1`
	if have := fmt.Sprint(w.query(w.replicas[0].URL("app"), indexes)); have != "[t_pkey|t|t t_u|t|t t_v|t|t]" {
		t.Errorf("indexes of the replica: %s", have)
	}
}

// A column that comes back under its old name is another column: nothing of the old one
// comes back with it, also when the replica sees all of it at once.
func TestColumnComesBackUnderItsName(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table t (id int primary key, v text, n int); insert into t select i, 'old', i from generate_series(1, 100) i`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	replica := w.run(pgbridge.Role{Replica: "r1"})
	w.follow()
	replica.stop()
	for i := range 3 {
		w.steps(
			`update t set v = 'older' where id < 10`,
			`alter table t drop v`,
			fmt.Sprintf(`insert into t (id, n) values (%d, 1); update t set n = n + 1 where id < 20; delete from t where id = %d`, 1000+i, 50+i),
			`alter table t add v text`,
			fmt.Sprintf(`update t set v = 'new %d' where id = 20 + %[1]d`, i),
			`begin; alter table t drop v; update t set n = 0 where id = 30; alter table t add v text default 'd'; update t set v = 'e' where id = 31; commit`,
		)
	}
	w.run(pgbridge.Role{Replica: "r1"})
	w.equal()
	w.logs()
}

// However a table comes into being, or among those that are replicated, its rows come along.
func TestTablesThatAppear(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.config.Master.Tables.Include = []string{"app.*", "public.app_*"}
	w.onMaster(`create schema app; create schema elsewhere;
		create table app.first (id int primary key, v text); insert into app.first values (1, 'a');
		create table enters (id int primary key, v text); insert into enters select i, 'v' || i from generate_series(1, 500) i;
		create table elsewhere.moves (id int primary key, v text); insert into elsewhere.moves select i, 'v' || i from generate_series(1, 500) i;
		create table elsewhere.nokey (v text); insert into elsewhere.nokey select 'v' from generate_series(1, 500) i;
		create unlogged table app_unlogged (id int primary key, v text); insert into app_unlogged select i, 'v' || i from generate_series(1, 500) i`)
	w.init()
	w.run()
	w.follow()
	w.steps(
		`begin; create table app.filled (id int primary key, v text); insert into app.filled select i, 'v' from generate_series(1, 300) i; update app.filled set v = 'w' where id < 10; commit`,
		`create table app.selected as select i as id, random() as r from generate_series(1, 300) i`,
		`update app.selected set r = 0 where id < 10`,
		`select * into app.into_it from app.first`,
		`begin; create table app.both as select 1 as a; insert into app.both values (2); commit`,
		`alter table enters rename to app_entered`,
		`update app_entered set v = 'x' where id = 5; insert into app_entered values (1000, 'y')`,
		`begin; update elsewhere.moves set v = 'before' where id = 1; alter table elsewhere.moves set schema app; update app.moves set v = 'after' where id = 2; commit`,
		`alter table elsewhere.nokey set schema app`,
		`insert into app.nokey values ('new')`,
		`update app_unlogged set v = 'u' where id < 5`,
		`alter table app_unlogged set logged`,
		`insert into app_unlogged values (1000, 'logged')`,
		`alter table app.first add w int default 3`,
		`alter schema elsewhere rename to gone; create schema elsewhere; create table gone.stays (id int primary key)`,
	)
	w.follow()
	want, err := dump(t.Context(), w.master.URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	have, err := dump(t.Context(), w.replicas[0].URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	for table, rows := range want {
		wanted := strings.HasPrefix(table, "app.") || strings.HasPrefix(table, "public.app_")
		mine, there := have[table]
		switch {
		case wanted && !there:
			t.Errorf("%s is not on the replica", table)
		case !wanted && there:
			t.Errorf("%s is on the replica, and should not", table)
		case wanted:
			if difference := firstDifference(rows, mine); difference != "" {
				t.Errorf("%s: %d rows, the master has %d; %s", table, len(mine), len(rows), difference)
			}
		}
	}
	w.logs()
}
