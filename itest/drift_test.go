package itest

import (
	"strings"
	"testing"

	pgbridge "github.com/pgbridge/pgbridge"
)

// A replica whose schema was changed by hand is found: when the bridge starts, and while it runs.

// driftWorld is a master with one of several kinds of objects, and two replicas.
func driftWorld(t *testing.T) *world {
	w := newWorld(t, 0, 0, 2)
	w.onMaster(`
		create type mood as enum ('sad', 'ok');
		create table item (id int primary key, v varchar check (v in ('a', 'b')), n int default 7, m mood);
		create table plain (a int not null unique, b text);
		alter table plain replica identity using index plain_a_key;
		create table parted (id int primary key, v text) partition by range (id);
		create table part partition of parted for values from (0) to (1000);
		create index item_n on item (n) where v in ('a', 'b');
		create view seen as select * from item where v in ('a', 'b');
		create function f() returns int language sql return 1;
		create function touch() returns trigger language plpgsql as 'begin return new; end';
		create trigger touched before update on item for each row execute function touch();
		create trigger fires before update on item for each row execute function touch();
		alter table item enable always trigger fires;
		comment on table item is 'what';
		insert into item select i, 'a', i, 'ok' from generate_series(1, 100) i;
		insert into plain select i, 'a' from generate_series(1, 100) i;
		insert into parted select i, 'a' from generate_series(1, 100) i`)
	w.init()
	return w
}

// drift is what bridge status says of a replica.
func (w *world) drift(i int) string {
	w.t.Helper()
	s := w.bridge().Status(w.t.Context())
	return strings.Join(s.Replicas[i].Drift, "\n")
}

func TestDriftThatHarmsNobodyIsTold(t *testing.T) {
	w := driftWorld(t)
	bridge := w.run()
	w.equal()
	const own = `
		create index item_own on item (v, n);
		create view own as select id from item;
		alter table item add own_column int;
		alter type mood add value 'own';
		create trigger own before insert on item for each row execute function touch()`
	w.onReplica(0, own+`;
		drop index item_n;
		alter table item alter n drop default, drop constraint item_v_check;
		comment on table item is 'else';
		create or replace function f() returns int language sql return 2;
		drop view seen`)
	// While it runs.
	want := []string{"index item_n of public.item: missing on replica", "default n of public.item: missing on replica",
		"check constraint item_v_check of public.item: missing on replica", "comment on table public.item: differs: master what, replica else",
		"function public.f(): differs: master ", "view public.seen: missing on replica"}
	said := func(drift string) bool {
		for _, words := range want {
			if !strings.Contains(drift, words) {
				return false
			}
		}
		return strings.Count(drift, "\n") == len(want)-1
	}
	w.eventually("the drift is found", func() bool { return said(w.drift(0)) })
	if drift := w.drift(1); drift != "" {
		t.Errorf("the other replica is said to have %s", drift)
	}
	w.onMaster(`update item set n = n + 1; insert into item values (1000, 'b', 1, 'sad')`)
	w.follow()
	w.onReplica(0, "alter table item drop own_column")
	w.same()
	const told = "the replica's schema was changed by hand"
	if n := w.logged(told); n != 1 {
		t.Errorf("said in the log %d times, want once", n)
	}

	// It is kept.
	bridge.stop()
	if drift := w.drift(0); !said(drift) {
		t.Errorf("without a bridge status says %q", drift)
	}
	bridge = w.run()
	w.follow()
	w.eventually("the drift is told again", func() bool { return w.logged(told) == 2 })
	bridge.stop()

	// It is made good.
	w.onReplica(0, `
		create index item_n on item (n) where v in ('a', 'b');
		alter table item alter n set default 7, add constraint item_v_check check (v in ('a', 'b'));
		comment on table item is 'what';
		create or replace function f() returns int language sql return 1;
		create view seen as select * from item where v in ('a', 'b')`)
	w.run()
	w.eventually("nothing is said any more", func() bool { return w.drift(0) == "" })
	w.follow()
	w.same()
}

func TestFirstCopyEndsWithALookAtTheSchema(t *testing.T) {
	w := driftWorld(t)
	w.run()
	looked := ""
	w.eventually("the replica streams", func() bool {
		rows, err := tryQuery(t.Context(), w.replicas[0].URL("app"), "select looked from bridge.position where state = 'streaming'")
		if err != nil || len(rows) == 0 {
			return false
		}
		looked = rows[0]
		return true
	})
	// The model, and that nothing is left out or being copied any more.
	if !strings.Contains(looked, " false false ") {
		t.Errorf("when it began to stream, what had been looked at was %q", looked)
	}
}

func TestDriftStopsTheReplica(t *testing.T) {
	w := driftWorld(t)
	bridge := w.run()
	w.equal()
	cases := []struct {
		name   string
		damage string
		says   []string
		repair string
	}{
		{"a table is gone", `create table kept as select * from plain; drop table plain`,
			[]string{"table public.plain: missing on replica", "bridge repair --replica r1 --table public.plain"},
			`create table plain (a int not null unique, b text); insert into plain select * from kept; drop table kept`},
		{"a table is a view", `alter table plain rename to other; create view plain as select * from other`,
			[]string{"table public.plain: missing on replica"}, `drop view plain; alter table other rename to plain`},
		{"a column is gone", `alter table plain rename b to c`,
			[]string{"column b of public.plain: missing on replica"}, `alter table plain rename c to b`},
		{"a column has another type", `alter table plain alter b type varchar(3)`,
			[]string{"column b of public.plain: differs: master text, replica character varying(3)"}, `alter table plain alter b type text`},
		{"a column is generated", `alter table plain rename b to was; alter table plain add b text generated always as ('a') stored`,
			[]string{"column b of public.plain: differs: master text, replica text generated always as ('a'::text) stored"},
			`alter table plain drop b; alter table plain rename was to b`},
		{"a key is gone", `alter table item drop constraint item_pkey`,
			[]string{"constraint item_pkey of public.item: missing on replica"}, `alter table item add primary key (id)`},
		{"a key has other columns", `alter table item drop constraint item_pkey, add primary key (n, id)`,
			[]string{"constraint item_pkey of public.item: differs: master PRIMARY KEY (id), replica PRIMARY KEY (n, id)"},
			`alter table item drop constraint item_pkey, add primary key (id), alter n drop not null`},
		{"the index of the identity is gone", `alter table plain drop constraint plain_a_key`,
			[]string{"constraint plain_a_key of public.plain: missing on replica"}, `alter table plain add unique (a); alter table plain replica identity using index plain_a_key`},
		{"a table would be empty behind a crash", `alter table plain set unlogged`,
			[]string{"table public.plain: differs: master table, replica unlogged table"}, `alter table plain set logged`},
		{"a partition is none", `alter table parted detach partition part`,
			[]string{"partition of public.part: missing on replica"}, `alter table parted attach partition part for values from (0) to (1000)`},
		{"a value of an enum has another name", `alter type mood rename value 'ok' to 'fine'`,
			[]string{"type public.mood: differs"}, `alter type mood rename value 'fine' to 'ok'`},
		{"a trigger fires for what is applied", `alter table item enable always trigger touched`,
			[]string{"trigger touched of public.item: differs"}, `alter table item enable trigger touched`},
	}
	for n, c := range cases {
		w.onReplica(0, c.damage)
		if n > 0 { // the first one is found while the bridge runs
			bridge.stop()
			bridge = w.run()
		}
		reason := w.stands(0, append([]string{"r1 stops before block", "changed by hand", "bridge schema diff --replica r1"}, c.says...)...)
		before := w.position(0)
		w.onMaster(`insert into item select max(id) + 1, 'b', 1, 'sad' from item; insert into plain select max(a) + 1 from plain`)
		w.waitOne(1)
		if at := w.position(0); at != before {
			t.Errorf("%s: replica went on from block %d to %d", c.name, before, at)
		}
		for _, words := range c.says[:1] {
			if drift := w.drift(0); !strings.Contains(drift, words) {
				t.Errorf("%s: status says %q, want %q", c.name, drift, words)
			}
		}
		if s := w.bridge().Status(t.Context()).Replicas[0]; s.State != pgbridge.StateStopped || s.Error != reason {
			t.Errorf("%s: status says %s: %s, want stopped: %s", c.name, s.State, s.Error, reason)
		}
		w.onReplica(0, c.repair)
		w.follow()
		w.eventually("nothing is said any more", func() bool { return w.drift(0) == "" })
		if t.Failed() {
			t.FailNow()
		}
	}
	w.equal()

	// What the master has changed since is not held against a replica that has not come to it.
	bridge.stop()
	w.run(pgbridge.Role{Tap: true})
	seq := w.lastBlock()
	w.onReplica(1, `alter table plain rename b to later`)
	w.onMaster(`alter table plain drop b`)
	w.block(seq + 1)
	w.run(pgbridge.Role{Replica: "r1"}, pgbridge.Role{Replica: "r2"})
	w.stands(1, "block", "the schema can not follow the master's", "column b", "plain")
	w.onReplica(1, `alter table plain rename later to b`)
	w.follow()
	w.equal()
}

// What a replica has of its own goes with what the master's changes do to it, or stops them
// with its name.
func TestEvolvingTreatsTheReplicasOwnObjects(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create table t (id int primary key, v text, n int, gone int);
		create table base (id int primary key, v text);
		insert into t select i, 'a', i, i from generate_series(1, 100) i;
		insert into base select i, 'a' from generate_series(1, 100) i`)
	w.init()
	w.run()
	w.follow()
	w.onReplica(0, `
		create schema reports;
		create index own_v on t (v) where n > 0;
		create index own_gone on t (gone);
		create statistics own_statistics on v, n from t;
		create function reports.touch() returns trigger language plpgsql as 'begin return new; end';
		create trigger own before update on t for each row execute function reports.touch();
		create table reports.facts (id int references t);
		alter table t add constraint own_check check (n > -1000);
		create view reports.of_t as select id, v from t`)
	const own = `
		select pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indexrelid where c.relname like 'own%'
		union all select pg_get_statisticsobjdef(oid) from pg_statistic_ext
		union all select pg_get_triggerdef(oid) from pg_trigger where tgname = 'own'
		union all select conrelid::regclass || ' ' || pg_get_constraintdef(oid) from pg_constraint where conname like 'own%' or conname like 'facts%'
		union all select 'view ' || pg_get_viewdef('reports.of_t'::regclass)
		order by 1`
	has := func(want ...string) {
		t.Helper()
		w.follow()
		have := w.query(w.replicas[0].URL("app"), own)
		for i := range have {
			have[i] = strings.Join(strings.Fields(have[i]), " ")
		}
		if strings.Join(have, "\n") != strings.Join(want, "\n") {
			t.Errorf("the replica's own objects are\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
		}
	}

	w.steps(`alter table t rename to things`, `alter table things rename v to name`, `alter table things drop gone`, `update things set n = n + 1`)
	has(`CREATE INDEX own_v ON public.things USING btree (name) WHERE (n > 0)`,
		`CREATE STATISTICS public.own_statistics ON name, n FROM things`,
		`CREATE TRIGGER own BEFORE UPDATE ON public.things FOR EACH ROW EXECUTE FUNCTION reports.touch()`,
		`reports.facts FOREIGN KEY (id) REFERENCES things(id)`,
		`things CHECK ((n > '-1000'::integer))`,
		`view SELECT things.id, things.name AS v FROM things;`)

	// A type that changes takes the index along.
	w.steps(`alter table things alter n type bigint`, `update things set n = n + 1`)
	has(`CREATE INDEX own_v ON public.things USING btree (name) WHERE (n > 0)`,
		`CREATE STATISTICS public.own_statistics ON name, n FROM things`,
		`CREATE TRIGGER own BEFORE UPDATE ON public.things FOR EACH ROW EXECUTE FUNCTION reports.touch()`,
		`reports.facts FOREIGN KEY (id) REFERENCES things(id)`,
		`things CHECK ((n > '-1000'::integer))`,
		`view SELECT things.id, things.name AS v FROM things;`)

	for _, c := range []struct{ name, sql, says, mend string }{
		{"a type changes below a view", `alter table things alter name type varchar(20)`, "view reports.of_t depends on column \"name\"", `drop view reports.of_t`},
		{"a column is dropped below a view", `alter table base drop v`, "view reports.of_base depends on column v of table public.base", `drop view reports.of_base`},
		{"a table is dropped below a view", `drop table base`, "view reports.of_base depends on table public.base", `drop view reports.of_base`},
	} {
		if strings.Contains(c.says, "of_base") {
			w.onReplica(0, `create view reports.of_base as select * from base`)
		}
		w.steps(c.sql)
		w.stands(0, "r1", "the schema can not follow", c.says)
		w.onReplica(0, c.mend)
		w.follow()
		if t.Failed() {
			t.Fatal(c.name)
		}
	}
	w.sameButFor("reports.facts")
	if drift := w.drift(0); drift != "" {
		t.Errorf("the replica's own objects are said to be drift: %s", drift)
	}
}

// sameButFor is same where the replicas have a table of their own.
func (w *world) sameButFor(table string) {
	w.t.Helper()
	for i := range w.replicas {
		w.onReplica(i, "drop table "+table)
	}
	w.same()
}
