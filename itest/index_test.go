package itest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	pgbridge "github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/sink/postgres"
)

// Indexes are built while rows go on.

// runIndexing runs the bridge to replica r1, which builds the indexes of all tables that have rows beside the stream.
func (w *world) runIndexing() *running {
	w.t.Helper()
	return w.runApplier(applierWith(w.config, w.bridge().Log, postgres.Options{IndexBytes: 1}))
}

// keepSnapshot opens a transaction on the replica that has no lock and keeps its snapshot: builds wait for it.
func (w *world) keepSnapshot() (release func()) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.replicas[0].URL("app"))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := conn.Exec(w.t.Context(), "begin isolation level repeatable read; select", pgx.QueryExecModeSimpleProtocol); err != nil {
		w.t.Fatal(err)
	}
	release = func() { conn.Close(context.Background()) }
	w.t.Cleanup(release)
	return release
}

// pending is what replica r1 notes to be built.
func (w *world) pending() []string {
	w.t.Helper()
	return w.query(w.replicas[0].URL("app"), `select index_name from bridge.pending_index order by 1`)
}

// builder is the connection that builds an index on replica r1, when it waits for others to end their transactions.
func (w *world) builder() (pid string) {
	w.t.Helper()
	w.eventually("an index is being built", func() bool {
		rows := w.query(w.replicas[0].URL("app"), `
			select a.pid
			from pg_stat_activity a
			join pg_locks l on l.pid = a.pid and l.locktype = 'advisory' and l.granted
			where a.datname = current_database() and a.query like 'CREATE INDEX CONCURRENTLY%' and a.wait_event = 'virtualxid'`)
		if len(rows) == 1 {
			pid = rows[0]
		}
		return pid != ""
	})
	return pid
}

func (w *world) built() {
	w.t.Helper()
	w.eventually("no index is pending", func() bool { return len(w.pending()) == 0 })
	if invalid := w.query(w.replicas[0].URL("app"), `select indexrelid::regclass from pg_index where not indisvalid`); len(invalid) > 0 {
		w.t.Errorf("not valid: %v", invalid)
	}
}

func TestIndexesAreBuiltWhileRowsGoOn(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create table item (id int primary key, v text, n int);
		insert into item select i, 'v' || i, i from generate_series(1, 1000) i;
		create table empty (id int primary key, v text)`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	w.runIndexing()
	w.equal()
	release := w.keepSnapshot()
	w.onMaster(`
		create index item_v on item (v) with (fillfactor = 70);
		comment on index item_v is 'about v';
		create index empty_v on empty (v);
		create unique index item_n on item (n)`)
	first := w.builder()
	w.onMaster(`
		create index item_x on item ((v || 'x'), (n + 1)) where n > 5;
		alter index item_x alter column 2 set statistics 77;
		create table other (id int primary key)`)
	for i := range 5 {
		w.onMaster(fmt.Sprintf(`insert into item values (%d, 'new', %[1]d); update item set v = 'changed' where id = 1 + %[1]d; delete from item where id = 50 + %[1]d; insert into other values (%[1]d)`, 2000+i))
		w.settle()
		w.same()
	}
	if pending := w.pending(); !slices.Equal(pending, []string{"item_v", "item_x"}) {
		t.Errorf("pending are %v, want item_v and item_x", pending)
	}
	if pid := w.builder(); pid != first {
		t.Errorf("the build was begun again for what does not concern it")
	}
	status := w.bridge().Status(t.Context()).Replicas[0]
	if want := []string{"index item_v of public.item", "index item_x of public.item"}; !slices.Equal(status.Pending, want) || status.State != pgbridge.StateStreaming {
		t.Errorf("status says %q, %q; want %q, streaming", status.Pending, status.State, want)
	}
	drift, err := w.bridge().SchemaOnReplica(t.Context(), "r1")
	if err != nil || len(drift) > 0 {
		t.Errorf("drift %v, %v; want none", drift, err)
	}
	reports, err := w.bridge().Check(t.Context(), pgbridge.CheckOptions{})
	if err != nil || len(reports[0].Findings) > 0 || reports[0].Error != "" || !strings.Contains(strings.Join(reports[0].Notes, "\n"), "index item_x of public.item") {
		t.Errorf("check says %+v, %v", reports, err)
	}
	release()
	w.built()
	w.equal()
	if n := w.logged("index is built"); n != 2 {
		t.Errorf("said of %d indexes that they are built, want 2", n)
	}
	if status := w.bridge().Status(t.Context()).Replicas[0]; len(status.Pending) > 0 || len(status.Drift) > 0 {
		t.Errorf("status says %v, %v behind it", status.Pending, status.Drift)
	}
}

// Whatever becomes of an index or its table while it is pending: the stream goes on, and the replica gets what the master has.
func TestPendingIndexesFollowTheSchema(t *testing.T) {
	cases := []struct{ name, change string }{
		{"the index is dropped", `drop index #_v`},
		{"the index is renamed", `alter index #_v rename to #_w`},
		{"the index is another", `drop index #_v; create index #_v on # (n, v)`},
		{"its name is taken by another", `alter index #_v rename to #_w; create index #_v on # (n)`},
		{"its name is that of a table", `drop index #_v; create table #_v (id int primary key)`},
		{"a second one", `create index #_w on # (n)`},
		{"it has a comment", `comment on index #_v is 'what'`},
		{"it has parameters", `alter index #_v set (fillfactor = 50)`},
		{"it is clustered on", `alter table # cluster on #_v`},
		{"the table is dropped", `drop table #`},
		{"the table is renamed", `alter table # rename to #_other`},
		{"the table is emptied", `truncate #; insert into # values (1, 'a', 1)`},
		{"the table is moved", `create schema #_s; alter table # set schema #_s`},
		{"the table has a comment", `comment on table # is 'what'`},
		{"the table is copied again", `alter table # add r float default random()`},
		{"the table is referred to", `create table #_r (id int primary key, ref int references #); insert into #_r values (1, 5)`},
		{"the table becomes a partition", `
			create table #_p (id int, v text, n int, primary key (id)) partition by range (id);
			create index #_pv on #_p (v);
			alter table #_p attach partition # for values from (0) to (10000)`},
		{"the table is a parent", `create table #_c () inherits (#); create index #_cv on #_c (v)`},
		{"a column is dropped", `alter table # drop v`},
		{"a column is renamed", `alter table # rename v to w`},
		{"a column has another type", `alter table # alter v type varchar(20)`},
		{"a column is rewritten", `alter table # alter n type bigint, alter v type int using n`},
		{"a trigger fires", `
			create function #_f() returns trigger language plpgsql as 'begin return new; end';
			create trigger fires before update on # for each row execute function #_f();
			alter table # enable always trigger fires`},
	}
	w := newWorld(t, 0, 0, 1)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	w.runIndexing()
	in := func(i int, sql string) string { return strings.ReplaceAll(sql, "#", fmt.Sprintf("t%d", i)) }
	for i := range cases {
		w.onMaster(in(i, `create table # (id int primary key, v text, n int); insert into # select i, i, i from generate_series(1, 100) i`))
	}
	w.equal()
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			outer := w.t
			w.t = t
			defer func() { w.t = outer }()
			release := w.keepSnapshot()
			w.onMaster(in(i, `create index #_v on # (v)`))
			w.builder()
			w.onMaster(in(i, c.change))
			w.settle() // while the build has something to wait for
			w.same()
			w.onMaster(in(i, `do $$ begin if to_regclass('#') is not null then update # set n = n + 1 where id < 5; end if; end $$`))
			w.settle()
			w.same()
			release()
			w.built()
			w.follow()
			for _, d := range w.schemaDifferences(t, 0, false) {
				t.Error(d)
			}
		})
	}
	w.equal()
}

// A renamed schema takes no lock on its tables.
func TestPendingIndexOfARenamedSchema(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create schema s; create table s.t (id int primary key, v text); insert into s.t select i, i from generate_series(1, 100) i`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	w.runIndexing()
	w.equal()
	release := w.keepSnapshot()
	w.onMaster(`create index t_v on s.t (v)`)
	w.builder()
	w.onMaster(`alter schema s rename to r; insert into r.t values (200, 'a')`)
	w.settle()
	w.same()
	release()
	w.built()
	w.equal()
}

// A process that is killed, and a server, forget no index.
func TestPendingIndexesSurviveKills(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	// A row to a page: larger than an index is built within the stream for.
	w.onMaster(`
		create table big (id int primary key, v text) with (fillfactor = 10);
		insert into big select i, i || repeat('x', 700) from generate_series(1, 8500) i`)
	w.init()
	w.spawn("tap")
	applier := w.spawn("replica=r1")
	w.equal()
	w.keepSnapshot()
	w.onMaster(`create index big_v on big (v); create index big_w on big (v desc)`)
	first := w.builder()
	applier.kill()
	if pending := w.pending(); len(pending) != 2 {
		t.Fatalf("pending are %v, want both", pending)
	}
	w.onMaster(`update big set v = 'a' where id < 10`)
	w.again(applier)
	w.settle()
	w.same()
	if second := w.builder(); second == first {
		t.Errorf("the connection of the killed process builds")
	}
	w.end(w.replicas[0], 0)
	w.onMaster(`update big set v = 'b' where id < 20`)
	w.begin(w.replicas[0])
	w.settle()
	w.built()
	w.equal()
}

// A build that fails is told, tried again, and holds up neither the stream nor other indexes.
func TestIndexThatCanNotBeBuilt(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create function f(int) returns int immutable language plpgsql as 'begin return $1; end';
		create table t (id int primary key, n int);
		insert into t select i, i from generate_series(1, 100) i`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	w.runIndexing()
	w.equal()
	w.onReplica(0, `create or replace function f(int) returns int immutable language plpgsql as 'begin raise exception ''not today''; end'`)
	w.onMaster(`create index t_f on t (f(n)); create index t_n on t (n)`)
	w.eventually("the reason is told", func() bool {
		pending := w.bridge().Status(t.Context()).Replicas[0].Pending
		return len(pending) == 1 && strings.HasPrefix(pending[0], "index t_f of public.t: ") && strings.Contains(pending[0], "not today")
	})
	w.onReplica(0, `create or replace function f(int) returns int immutable language plpgsql as 'begin return $1; end'`)
	w.built()
	w.equal()
	if n := w.logged("index can not be built, it is tried again"); n != 1 {
		t.Errorf("said %d times that it can not be built, want once", n)
	}
}

// While a change of the schema waits for a reader, no build begins: its lock would be the next to wait for.
func TestNoIndexIsBuiltWhileTheStreamIsBlocked(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table t (id int primary key, v text); insert into t select i, i from generate_series(1, 100) i`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	w.runIndexing()
	w.equal()
	release := w.keepSnapshot()
	w.onMaster(`create index t_v on t (v)`)
	w.builder()
	reader, err := pgx.Connect(t.Context(), w.replicas[0].URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close(context.Background())
	if _, err := reader.Exec(t.Context(), "begin; select from t", pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	w.onMaster(`alter table t rename to u`)
	w.eventually("the change waits", func() bool { return w.logged("replica waits for a lock") > 0 })
	attempts := w.logged("evolve")
	w.eventually("it is tried several times", func() bool {
		if n := w.query(w.replicas[0].URL("app"), `select count(*) from pg_stat_activity where application_name = 'bridge index'`)[0]; n != "0" {
			t.Fatal("a build begins")
		}
		return w.logged("evolve") >= attempts+3
	})
	reader.Close(t.Context())
	w.settle()
	release()
	w.built()
	w.equal()
}

// A replica that an older bridge has made gets the table for it.
func TestPendingIndexesOfAnOlderReplica(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table t (id int primary key, v text); insert into t select i, i from generate_series(1, 100) i`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	applier := w.runIndexing()
	w.equal()
	applier.stop()
	w.onReplica(0, `drop table bridge.pending_index`)
	if drift, err := w.bridge().SchemaOnReplica(t.Context(), "r1"); err != nil || len(drift) > 0 {
		t.Errorf("drift %v, %v; want none", drift, err)
	}
	if status := w.bridge().Status(t.Context()).Replicas[0]; !status.Reachable {
		t.Errorf("status says %q", status.Error)
	}
	w.runIndexing()
	w.onMaster(`create index t_v on t (v)`)
	w.settle()
	w.eventually("the index is built beside the stream", func() bool { return w.logged("index is built") == 1 })
	w.built()
	w.equal()
}
