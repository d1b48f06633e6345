package itest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	pgbridge "github.com/pgbridge/pgbridge"
)

// scenario is a set of tables of their own and what happens to them.
type scenario struct {
	name  string
	setup string // before init; $S is the schema, which is also the search_path
	// replica is what is there on the replica before the copy.
	replica string
	// changes are what happens then, one transaction each.
	changes []string
	// unmergeable: the net effect can not be applied in one step, the window has to be
	// applied in order.
	unmergeable  bool
	since, until int // versions of master and replica that can do it; 0: all
}

// Every scenario happens three times, each time in a schema of its own.
var ways = []string{
	"live",    // while the replica runs
	"merged",  // while it is stopped: all in few windows, merged to their net effect
	"ordered", // the same, behind something that can not be merged
}

func TestChanges(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	runScenarios(t, w, slices.Concat(changeScenarios, tableScenarios), ways...)
}

func runScenarios(t *testing.T, w *world, scenarios []scenario, ways ...string) {
	versions := []int{w.version(w.master), w.version(w.replicas[0])}
	var chosen []scenario
	for _, s := range scenarios {
		if s.since <= slices.Min(versions) && (s.until == 0 || s.until >= slices.Max(versions)) {
			chosen = append(chosen, s)
		}
	}
	w.onMaster(`create extension citext; create extension hstore; create extension ltree;
		create table poison (id int primary key, u int unique); insert into poison values (1, 1), (2, 2)`)
	for _, way := range ways {
		for _, s := range chosen {
			w.onMaster("create schema " + s.schema(way) + "; " + s.sql(way, s.setup))
			if s.replica != "" {
				w.onReplica(0, "create schema "+s.schema(way)+"; "+s.sql(way, s.replica))
			}
		}
	}
	w.init()
	w.run(pgbridge.Role{Tap: true})
	replica := w.run(pgbridge.Role{Replica: "r1"})
	w.wait()
	w.same()

	conn, err := pgx.Connect(t.Context(), w.master.URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	happen := func(way string, unmergeable bool) {
		for _, s := range chosen {
			if s.unmergeable != unmergeable {
				continue
			}
			for _, change := range s.changes {
				if _, err := conn.Exec(t.Context(), s.sql(way, change), pgx.QueryExecModeSimpleProtocol); err != nil {
					t.Fatalf("scenario %s, %s: %v", s.name, abbreviate(change), err)
				}
			}
		}
	}
	stopped := func(f func()) {
		replica.stop()
		f()
		replica = w.run(pgbridge.Role{Replica: "r1"})
		w.wait()
		w.same()
	}

	for _, way := range ways {
		before := w.logged(inOrder)
		switch way {
		case "live":
			happen(way, false)
			w.wait()
			w.same()
		case "merged":
			stopped(func() { happen(way, false) })
		case "ordered":
			stopped(func() {
				w.onMaster(`begin; update poison set u = 3 where id = 1; update poison set u = 1 where id = 2; update poison set u = 2 where id = 1; commit`)
				happen(way, false)
				happen(way, true)
			})
			if w.logged(inOrder) == before {
				t.Error("the window was not applied in order")
			}
			continue
		}
		if w.logged(inOrder) != before {
			t.Error("a window of changes that can be merged was applied in order")
		}
		happen(way, true)
		w.wait()
		w.same()
	}
}

// inOrder is what an applier logs when a window could not be merged.
const inOrder = "window is applied in order"

func (s *scenario) schema(way string) string { return s.name + "_" + way }

func (s *scenario) sql(way, sql string) string {
	return "set search_path = " + s.schema(way) + ", public; " + strings.ReplaceAll(sql, "$S", s.schema(way))
}

// version is a server's major version.
func (w *world) version(server interface{ URL(string) string }) int {
	w.t.Helper()
	var v int
	if _, err := fmt.Sscan(w.query(server.URL("postgres"), "select current_setting('server_version_num')::int / 10000")[0], &v); err != nil {
		w.t.Fatal(err)
	}
	return v
}

// changeScenarios are kinds of changes.
var changeScenarios = []scenario{
	{
		name:  "plain",
		setup: `create table t (id int primary key, v text); insert into t select i, 'v' || i from generate_series(1, 1000) i`,
		changes: []string{
			`insert into t values (2001, 'a')`,
			`update t set v = 'b' where id = 2001`,
			`delete from t where id = 2001; insert into t values (2001, 'c')`,
			`delete from t where id = 2001`,
			`insert into t select i, 'w' || i from generate_series(3001, 3100) i`,
			`insert into t select i, 'w' || i from generate_series(4001, 4500) i`,
			`update t set v = v || '!' where id between 1 and 100`,
			`update t set v = v || '?' where id between 4001 and 4500`,
			`delete from t where id between 50 and 150`,
			`begin; insert into t values (50, 'back'); delete from t where id = 50; insert into t values (50, 'again'); update t set v = 'and again' where id = 50; commit`,
			`update t set v = null where id = 7; update t set v = '' where id = 8; update t set id = id, v = v where id = 9; update t set v = v`,
		},
	},
	{
		name: "keys",
		setup: `create table t (id int primary key, v text); insert into t select i, 'v' || i from generate_series(1, 100) i;
			create table two (a int, b text, v int, primary key (b, a)); insert into two select i, 'b' || i % 3, i from generate_series(1, 50) i`,
		changes: []string{
			`update t set id = -id where id between 1 and 10`,
			`begin; update t set id = 0 where id = 11; update t set id = 11 where id = 12; update t set id = 12 where id = 0; commit`,
			`do $$ begin for i in reverse 100..20 loop update t set id = id + 1 where id = i; end loop; end $$`,
			`begin; insert into t values (500, 'x'); update t set id = 501 where id = 500; update t set v = 'y' where id = 501; update t set id = 500 where id = 501; commit`,
			`begin; delete from t where id = -1; update t set id = -1 where id = -2; insert into t values (-2, 'new'); commit`,
			`begin; update t set v = 'before' where id = 30; update t set id = 1030 where id = 30; update t set id = 30 where id = 31; update t set v = 'after' where id = 30; commit`,
			`update two set a = a + 100 where a % 2 = 0; update two set b = b || 'x', v = -v where a % 3 = 0`,
		},
	},
	{
		name:        "unique_swap",
		unmergeable: true,
		setup: `create table t (id int primary key, u text unique, v int);
			insert into t select i, 'u' || i, i from generate_series(1, 20) i`,
		changes: []string{
			`begin; update t set u = 'free' where id = 1; update t set u = 'u1' where id = 2; update t set u = 'u2' where id = 1; commit`,
			`begin; update t set u = 'free' where id = 20;
				do $$ begin for i in reverse 19..3 loop update t set u = 'u' || (i + 1) where id = i; end loop; end $$; commit`,
			`begin; delete from t where id = 5; insert into t values (55, 'u6', 1); commit`,
			`begin; update t set u = null where id = 55; insert into t values (56, 'u6', 2); commit`,
		},
	},
	{
		name: "deferrable_unique",
		setup: `create table t (id int primary key, u int unique deferrable initially deferred, w int unique deferrable);
			insert into t select i, i, i from generate_series(1, 20) i;
			create table pk (id int primary key deferrable initially deferred, v text);
			insert into pk select i, 'v' || i from generate_series(1, 20) i`,
		changes: []string{
			`update t set u = 21 - u`,
			`update t set w = w + 1`,
			`begin; update t set u = 100 where id = 1; update t set u = 100 where id = 2; update t set u = 101 where id = 2; commit`,
			`update pk set id = id + 1`,
			`update pk set id = 22 - id; update pk set v = 'x' where id = 3; delete from pk where id = 4`,
		},
	},
	{
		name: "toast",
		setup: `create table t (id int primary key, big text, small int, big2 text);
			alter table t alter big set storage external; alter table t alter big2 set storage external;
			insert into t select i, repeat('x' || i, 2000), i, repeat('y' || i, 3000) from generate_series(1, 20) i;
			create table f (id int primary key, big text, small int); alter table f replica identity full;
			alter table f alter big set storage external;
			insert into f select i, repeat('x' || i, 2000), i from generate_series(1, 20) i;
			create table nokey (id int, big text, small int); alter table nokey alter big set storage external;
			insert into nokey select i, repeat('x' || i, 2000), i from generate_series(1, 20) i`,
		changes: []string{
			`update t set small = -small`,
			`update t set big2 = 'short' where id in (1, 2, 3, 4, 5, 6, 7)`,
			`update t set id = id + 100 where id <= 10`,
			`begin; update t set id = id + 100, small = 5 where id = 11; update t set small = 6 where id = 111; update t set big = 'now' where id = 111; commit`,
			`begin; update t set big = repeat('z', 5000) where id = 12; update t set small = 7 where id = 12; delete from t where id = 13; insert into t select 13, repeat('w', 9000), 1, repeat('v', 9000); update t set small = 2 where id = 13; commit`,
			`update f set small = -small; update f set id = id + 100 where id < 10; update f set big = 'b' where id = 15`,
			`update nokey set small = -small where id < 10; update nokey set id = id + 100 where id > 15; delete from nokey where id = 3`,
			`update t set big = null where id = 14; update t set big = '' where id = 15`,
		},
	},
	{
		name: "bulk",
		setup: `create table a (id int primary key, v text); create table b (id int primary key, v text unique); create table c (id int primary key, v text); create table n (v text);
			insert into c select i, 'c' from generate_series(1, 100) i`,
		changes: []string{
			`begin; insert into a select i, repeat('a' || i, 40) from generate_series(1, 20000) i; update a set v = 'u' where id % 100 = 0; insert into b select i, 'b' || i from generate_series(1, 5000) i;
				delete from a where id <= 1500; insert into a select i, E'tab\t, line\n, \\. and \\N' from generate_series(1, 1500) i; insert into b values (0, null); truncate c; insert into c select i, 'd' from generate_series(1, 3000) i;
				savepoint s; insert into c select i, 'gone' from generate_series(5000, 9000) i; rollback to s; insert into n select case when i % 7 > 0 then repeat('n', i % 7 - 1) end from generate_series(1, 4000) i;
				delete from n where v = 'nn'; insert into n select 'nn' from generate_series(1, 2000) i; commit`,
			`begin; insert into a select i, repeat('e' || i, 40) from generate_series(20001, 40000) i; alter table a add w int default 5; insert into a select i, 'w', i from generate_series(40001, 43000) i;
				alter table b rename to bb; insert into bb select i, 'bb' || i from generate_series(10001, 13000) i; update bb set v = 'bb' || -id where id > 12000; insert into bb select i, 'bb' || (i - 8000) from generate_series(20001, 21000) i; commit`,
			`do $$ begin for i in 1..6000 loop insert into c values (10000 + i, repeat('c', 300)); insert into n values (repeat('i', 300)); end loop; end $$`,
			`begin; insert into c select i, repeat('z', 300) from generate_series(30001, 45000) i; delete from c where id > 30000; insert into c select i, repeat('y', 300) from generate_series(30001, 45000) i; commit`,
		},
	},
	{
		name: "bag",
		setup: `create type mood as enum ('sad', 'ok'); create type pair as (a int, b text);
			create table bag (n int, v text, num numeric, f float8, c public.citext, j json, h public.hstore, list text[], i interval, ch char(5), m mood, p pair, b bytea, x box, "Odd ""name" varchar(20));
			insert into bag select k % 7, case when k % 3 > 0 then repeat('v', k % 4) end, (k % 2)::text::numeric(5, 2), case when k % 5 > 0 then k % 3 end, case when k % 2 = 0 then 'A' else 'a' end,
				case when k % 4 > 0 then '{"a":  1}'::json end, 'a=>1', case when k % 6 > 0 then array[null, '', 'x,"' || k % 2] end, (k % 2) * interval '24 hours', 'c', case when k % 3 = 0 then 'ok'::mood end,
				case when k % 2 = 0 then row(k % 3, null)::pair end, '\x00', '((1,1),(0,0))', 'o' from generate_series(1, 400) k;
			create table u (a int unique, b text); insert into u select k, 'b' from generate_series(1, 50) k; insert into u select null, 'null' from generate_series(1, 20);
			create table nothing (); insert into nothing select from generate_series(1, 30);
			create table always (id int generated always as identity, v text); insert into always (v) select 'v' from generate_series(1, 30);
			create table parts (k int, v text) partition by list (k); create table parts_1 partition of parts for values in (1, 2); create table parts_3 partition of parts default;
			insert into parts select k % 5, 'v' from generate_series(1, 100) k;
			create table parent (v text); create table child (w int) inherits (parent); insert into parent select 'same' from generate_series(1, 20); insert into child select 'same', 1 from generate_series(1, 20)`,
		changes: []string{
			`update bag set n = n + 1 where n in (2, 3)`,
			`delete from bag where ctid in (select ctid from bag where n = 4 order by ctid limit 20)`,
			`begin; update bag set v = 'w' where v is null; update bag set v = null where v = 'w' and n > 3; delete from bag where n = 1; insert into bag select * from bag where n = 5; commit`,
			`update bag set num = 1.000 where num = 1; update bag set f = '-0' where f = 0; update bag set c = upper(c::text)::public.citext; update bag set i = '1 day' where i = '24 hours'`,
			`update bag set (v, f, j, list, p, m) = (null, null, null, null, null, null) where n = 6; update bag set v = '' where n = 6`,
			`delete from bag where random() < 0.3; update bag set n = floor(random() * 5), "Odd ""name" = null where random() < 0.5; insert into bag select * from bag where random() < 0.5`,
			`begin; delete from bag where random() < 0.3; savepoint s; delete from bag; rollback to s; update bag set ch = 'd' where random() < 0.5; insert into bag select * from bag where random() < 0.5; update bag set n = -n; commit`,
			`update u set a = -a; delete from u where ctid in (select ctid from u where a is null limit 7); update u set b = 'c'; delete from u where a < -20`,
			`insert into nothing select from generate_series(1, 10); delete from nothing where ctid in (select ctid from nothing limit 15)`,
			`update always set v = 'w' where id < 20; delete from always where id > 25`,
			`update parts set k = k + 1; delete from parts where ctid in (select ctid from parts where k = 2 limit 6); update parts set v = 'w' where k = 3`,
			`update only parent set v = 'other'; delete from child where ctid in (select ctid from child limit 8); update child set w = 2`,
		},
	},
	{
		name: "toast_key",
		setup: `create table t (id text primary key, v int); alter table t alter id set storage external;
			insert into t select repeat('k', 2100 + i), i from generate_series(1, 20) i;
			create table c (id text primary key, v int, w text);
			insert into c select repeat('k', 100000 + i), i, 'w' from generate_series(1, 20) i;
			create table e (id text primary key, v int, w text); alter table e alter id set storage extended;
			insert into e select (select string_agg(md5((i * 1000 + k)::text), '') from generate_series(1, 80) k), i, repeat('w', 3000) from generate_series(1, 20) i`,
		changes: []string{
			`update t set v = -v; update c set v = -v; update e set v = -v`,
			`update t set v = 100 where v = -3; update c set w = 'x' where v = -3; update e set w = 'x' where v = -3`,
			`update t set id = id || 'z' where v = -4; update c set id = id || 'z', w = 'q' where v between -10 and -4; update e set id = id || 'z' where v = -4`,
			`delete from t where v = -5; delete from c where v < -12; delete from e where v < -12`,
			`insert into t select repeat('n', 2100 + i), i from generate_series(1, 300) i; insert into c select repeat('n', 100000 + i), i from generate_series(1, 20) i`,
		},
	},
	{
		name: "full",
		setup: `create table t (id int primary key, u int unique, v text); alter table t replica identity full;
			insert into t select i, i, 'v' from generate_series(1, 300) i;
			create table nopk (id int, v text, n numeric); alter table nopk replica identity full; create index on nopk (id);
			insert into nopk select i, 'v', i / 3.0 from generate_series(1, 50) i`,
		changes: []string{
			`update t set v = 'w' || id where id <= 3`,
			`update t set v = 'x' || id where id between 4 and 200`,
			`update t set id = id + 1000 where id > 290`,
			`delete from t where id between 100 and 150; delete from t where id = 3`,
			`begin; update t set v = 'one' where id = 5; update t set v = 'two' where id = 5; commit`,
			`update nopk set n = n * 1.00 where id < 10; update nopk set v = null where id = 20; delete from nopk where id between 30 and 33`,
			`begin; update nopk set v = 'a' where id = 40; update nopk set v = 'b' where id = 40; delete from nopk where id = 40; insert into nopk values (40, 'c', 1.0); update nopk set n = 1.00 where id = 40; commit`,
		},
	},
	{
		name: "identity_index",
		setup: `create table t (id int primary key, a text not null, b int not null, v text);
			create unique index t_ab on t (b, a) include (v); alter table t replica identity using index t_ab;
			insert into t select i, 'a' || i, i % 7, 'v' from generate_series(1, 300) i;
			create table nopk (a citext not null, v int); create unique index nopk_a on nopk (a); alter table nopk replica identity using index nopk_a;
			insert into nopk select 'Name' || i, i from generate_series(1, 20) i;
			create table nothing (id int primary key, v text); alter table nothing replica identity nothing;
			insert into nothing select i, 'v' from generate_series(1, 20) i`,
		changes: []string{
			`update t set v = 'w' where id < 100; update t set b = b + 100 where id < 50; update t set id = id + 1000 where id > 280`,
			`delete from t where b = 3`,
			`update nopk set a = lower(a::text) where v < 5; update nopk set a = 'other' where v = 7; delete from nopk where v > 15; update nopk set v = -v where v > 3`,
			`update nothing set v = 'w' where id < 10; delete from nothing where id > 15; update nothing set id = -id where id < 3`,
		},
	},
	{
		name: "duplicates",
		setup: `create table t (a int, b text);
			insert into t select 1, 'x' from generate_series(1, 3); insert into t select null, null from generate_series(1, 3); insert into t values (2, null), (null, 'y'), (2, '');
			create table j (a json, p point, x xml, f float8);
			insert into j select '{"a": 1}', '(1,2)', '<a/>', -0.0 from generate_series(1, 3);
			insert into j select '{"a":1}', '(1,2)', '<a/>', 0.0 from generate_series(1, 3);
			create type pair as (l int, r text);
			create table c (p pair, v int);
			insert into c values (null, 1), (row(null, null), 1), (null, 1), (row(null, null), 1), (row(1, null), 1), (row(1, ''), 1)`,
		changes: []string{
			`update t set b = 'y' where ctid = (select ctid from t where a = 1 limit 1)`,
			`delete from t where ctid = (select ctid from t where a = 1 and b = 'x' limit 1)`,
			`update t set a = 0 where ctid = (select ctid from t where a is null and b is null limit 1)`,
			`delete from t where ctid = (select ctid from t where a is null and b is null limit 1)`,
			`update t set a = 5 where a = 2 and b is null; delete from t where b = ''`,
			`insert into t select 1, 'x' from generate_series(1, 500)`,
			`delete from t where ctid = any (array(select ctid from t where a = 1 limit 50)); insert into t values (1, 'x'), (null, null)`,
			`update j set f = 1 where ctid = any (array(select ctid from j limit 2)); delete from j where ctid = (select max(ctid) from j)`,
			`update j set f = f; update j set a = '{"a":  1}' where f = 1`,
			`update c set v = 2 where p is not distinct from null and ctid = (select min(ctid) from c where p is not distinct from null)`,
			`delete from c where ctid = (select max(ctid) from c where p is null and p is distinct from null)`,
			`update c set v = 3 where p is null and p is distinct from null; update c set p = row(null, null) where p is not distinct from null and v = 1; update c set p = null where v = 3`,
		},
	},
	{
		name: "truncates",
		setup: `create table a (id serial primary key, v text); create table b (id int primary key, a int references a, v text);
			create table c (id int generated always as identity primary key, b int references b, self int references c);
			create table lone (id int generated by default as identity, v text);
			create table p (id int, r int) partition by range (r); create table p1 partition of p for values from (0) to (10); create table p2 partition of p for values from (10) to (20) partition by range (r);
			create table p21 partition of p2 for values from (10) to (15); create table p22 partition of p2 for values from (15) to (20);
			alter table p add primary key (id, r);
			create table refp (id int primary key, i int, r int, foreign key (i, r) references p);
			insert into a (v) select 'v' from generate_series(1, 10); insert into b select i, i, 'v' from generate_series(1, 10) i; insert into c (b) select i from generate_series(1, 10) i;
			insert into lone (v) select 'x' from generate_series(1, 10);
			insert into p select i, i from generate_series(0, 19) i; insert into refp select i, i, i from generate_series(0, 19) i`,
		changes: []string{
			`truncate lone`,
			`insert into lone (v) values ('y'); truncate lone restart identity; insert into lone (v) values ('z')`,
			`truncate c restart identity; insert into c (b) values (1), (2)`,
			`truncate a, b, c restart identity; insert into a (v) values ('new'); insert into b values (1, 1, 'new'); insert into c (b) values (1)`,
			`begin; update a set v = 'gone'; truncate a cascade; insert into a values (77, 'kept'); commit`,
			`begin; insert into a values (78, 'rolled back'); savepoint s; truncate a cascade; rollback to s; commit`,
			`truncate refp, p21; insert into p21 values (1, 11)`,
			`truncate p cascade; insert into p select i, i from generate_series(5, 12) i; insert into refp values (1, 5, 5)`,
			`begin; truncate lone; truncate lone; insert into lone values (1, 'a'), (2, 'b'); truncate p1, p2, refp; insert into p values (3, 3); commit`,
		},
	},
	{
		name: "partitions",
		setup: `create table p (id int, r int, v text, primary key (id, r)) partition by range (r);
			create table p1 partition of p for values from (0) to (10);
			create table p2 (v text, r int not null, dropped int, id int not null); alter table p2 drop dropped; alter table p attach partition p2 for values from (10) to (20);
			create table p3 partition of p for values from (20) to (40) partition by list (r);
			create table p31 partition of p3 for values in (20, 21, 22); create table p3d partition of p3 default;
			insert into p select i, i % 40, 'v' from generate_series(1, 200) i;
			create table h (k text, v int) partition by hash (k);
			create table h0 partition of h for values with (modulus 2, remainder 0); create table h1 partition of h for values with (modulus 2, remainder 1);
			insert into h select 'k' || i, i from generate_series(1, 100) i`,
		changes: []string{
			`update p set r = r + 10 where r < 10 and id < 50`,
			`update p set r = 21 where id = 100; update p set r = 5, v = 'back' where id = 100`,
			`update p set v = 'w' where id % 3 = 0; delete from p where id % 5 = 0`,
			`insert into p select 1000 + i, i % 40, 'many' from generate_series(1, 600) i`,
			`insert into p1 values (7, 3, 'direct'); insert into p31 values (7, 20, 'direct')`,
			`update h set k = k || 'x' where v < 50; update h set v = -v where v > 90; delete from h where v between 60 and 70`,
		},
	},
	{
		name: "inheritance",
		setup: `create table p (id int primary key, v text); create table c1 (extra int, primary key (id)) inherits (p); create table c2 () inherits (p);
			insert into p values (1, 'p'), (2, 'p'); insert into c1 values (1, 'c1', 5), (3, 'c1', 6); insert into c2 values (1, 'c2'), (1, 'c2')`,
		changes: []string{
			`update p set v = v || '!'`,
			`update only p set v = 'only' where id = 1; delete from p where id = 3; delete from c2 where ctid = (select ctid from c2 limit 1)`,
			`insert into p select i, 'p' from generate_series(10, 500) i; insert into c1 select i, 'c', i from generate_series(10, 500) i; insert into c2 select i, 'c2' from generate_series(10, 50) i`,
			`update p set id = id + 1000 where id = 10; delete from only p where id between 20 and 40; truncate only p; truncate c2`,
		},
	},
	{
		name: "foreign_keys",
		setup: `create table a (id int primary key, b int); create table b (id int primary key, a int references a on delete cascade on update cascade deferrable initially deferred);
			alter table a add foreign key (b) references b on delete set null on update cascade deferrable initially deferred;
			create table tree (id int primary key, parent int references tree on delete cascade on update cascade, v text);
			create table child (id int primary key, t int default 1 references tree on delete set default);
			insert into a select i, null from generate_series(1, 20) i; insert into b select i, i from generate_series(1, 20) i; update a set b = id;
			insert into tree select i, nullif(i / 2, 0), 'v' from generate_series(1, 63) i; insert into child select i, i from generate_series(1, 63) i`,
		changes: []string{
			`begin; insert into a values (100, 100); insert into b values (100, 100); commit`,
			`delete from a where id < 5`,
			`update a set id = id + 1000 where id = 10; update b set id = id + 1000 where id in (11, 12)`,
			`delete from b where id = 15`,
			`update tree set parent = 2 where id in (6, 7)`,
			`delete from tree where id in (5, 7)`,
			`begin; delete from tree where id = 3; insert into tree values (3, 1, 'new'), (2000, 3, 'new'); commit`,
		},
	},
	{
		name: "triggers",
		setup: `create table log (n int generated always as identity, what text);
			create table t (id int primary key, v text, touched int default 0);
			create function $S.note() returns trigger language plpgsql as $$ begin insert into $S.log (what) values (tg_name || ' ' || tg_op); return null; end $$;
			create function $S.touch() returns trigger language plpgsql as $$ begin if tg_op = 'DELETE' then return old; end if; new.touched = coalesce(new.touched, 0) + 1; return new; end $$;
			create function $S.refuse() returns trigger language plpgsql as $$ begin return null; end $$;
			create trigger plain after insert or update or delete on t for each row execute function $S.note();
			create trigger stmt after insert or update or delete or truncate on t for each statement execute function $S.note();
			create trigger touch before insert or update on t for each row execute function $S.touch();
			create trigger always before insert or update on t for each row execute function $S.touch(); alter table t enable always trigger always;
			create trigger replica before insert or update or delete on t for each row execute function $S.refuse(); alter table t enable replica trigger replica;
			create trigger alwaysnote after insert or update or delete on t for each row execute function $S.note(); alter table t enable always trigger alwaysnote;
			create trigger off after insert on t for each row execute function $S.note(); alter table t disable trigger off;
			create constraint trigger late after insert on t deferrable initially deferred for each row execute function $S.note();
			create table r (id int primary key, v text); create table rlog (what text);
			create rule r1 as on insert to r do also insert into rlog values ('ins');
			create rule r2 as on update to r do also insert into rlog values ('upd'); alter table r enable always rule r2;
			create rule r3 as on delete to r do instead nothing; alter table r enable replica rule r3;
			insert into t select i, 'v' from generate_series(1, 20) i; insert into r select i, 'v' from generate_series(1, 20) i`,
		changes: []string{
			`insert into t values (100, 'x')`, `insert into t select i, 'x' from generate_series(200, 210) i`, `insert into t select i, 'x' from generate_series(1000, 1300) i`,
			`update t set v = 'y' where id < 10`, `delete from t where id > 1200`, `delete from t where id = 1`,
			`insert into r select i from generate_series(100, 120) i`, `insert into r values (200)`, `update r set v = 'w' where id < 10`, `update r set v = 'z' where id = 12`,
			`delete from r where id < 8`, `delete from r where id = 20`, `truncate t`,
		},
	},
	{
		name:  "savepoints",
		setup: `create table t (id int primary key, v text); insert into t values (1, 'a')`,
		changes: []string{
			`begin; insert into t values (2, 'b'); savepoint a; insert into t values (3, 'c'); savepoint b; delete from t; rollback to b; update t set v = 'd'; rollback to a; insert into t values (3, 'e'); release a; commit`,
			`begin; insert into t values (9, 'never'); rollback`,
			`do $$ begin for i in 10..200 loop begin insert into t values (i, 'x'); if i % 3 = 0 then raise 'no'; end if; exception when others then null; end; end loop; end $$`,
			`do $$ begin for i in 10..100 loop begin insert into t values (i, 'y'); exception when unique_violation then update t set v = 'z' where id = i; end; end loop; end $$`,
			`begin; savepoint x; insert into t select i, repeat('s', 100) from generate_series(10000, 15000) i; rollback to x; insert into t select i, repeat('s', 100) from generate_series(20000, 21000) i; commit`,
		},
	},
	{
		name: "strings",
		setup: `create table t (id int primary key, v text); create table n (v text, w text);
			insert into t values (1, ''), (2, null), (3, E'\\'), (4, E'\\.'), (5, E'\t\n\r\b\f\v'), (6, '"{}'',;NULL'), (7, E'\\N'), (8, '😀ſ\u0301'), (9, 'NULL'), (10, ' lead'), (11, E'\x01\x02\x1f\x7f');
			insert into n select v, v from t`,
		changes: []string{
			`insert into t select 100 + id, v from t where id < 4`,
			`insert into t select 200 + id, v from t where id < 12`,
			`insert into t select 1000 * k + id, v from t, generate_series(1, 30) k where id < 12; insert into n select v, v from t`,
			`update t set v = v || E'\\.\n\\N' where id % 2 = 0; update n set w = v || v where v like '%\\%'; delete from n where v = ''`,
			`update t set v = E'\\' where id = 1; update t set v = '' where id = 2; delete from n where v is null; update t set v = 'null' where id = 3`,
		},
	},
	{
		name: "exclusion",
		setup: `create extension if not exists btree_gist;
			create table t (id int primary key, room int, during int4range, exclude using gist (room with =, during with &&));
			insert into t select i, i % 3, int4range(i * 10, i * 10 + 5) from generate_series(1, 50) i;
			create table e (id int primary key, name text, active bool); create unique index on e (lower(name)); create unique index on e (name) where active;
			insert into e select i, 'Name' || i, i % 2 = 0 from generate_series(1, 50) i`,
		changes: []string{
			`update t set during = int4range(lower(during) + 1, upper(during) + 3) where id < 10; delete from t where id = 20; insert into t values (51, 2, int4range(200, 205))`,
			`update e set name = upper(name) where id < 20; update e set active = not active; delete from e where id > 45; insert into e values (60, 'NAME50', true)`,
		},
	},
}

// A model changes within the window: what was gathered under the old one comes first.
func TestChangesAcrossModels(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create table t (id int primary key, v int, a int generated always as identity);
		insert into t (id, v) select i, 0 from generate_series(1, 10) i;
		create table k (id int primary key, v int);
		insert into k select i, 0 from generate_series(1, 10) i;
		create table nokey (v int);
		create table other1 (id int primary key); create table other2 (id int primary key); create table other3 (id int primary key)`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	replica := w.run(pgbridge.Role{Replica: "r1"})
	w.wait()
	replica.stop()
	w.onMaster(`insert into nokey values (1); update k set v = 1 where id = 1`)
	w.onMaster(`insert into other1 values (1)`)
	w.onMaster(`delete from nokey where v = 1; update k set id = 101 where id = 1; update k set id = 1 where id = 2`)
	w.onMaster(`insert into t (id, v) values (20, 1)`)
	w.onMaster(`insert into other2 values (1)`)
	w.onMaster(`update t set v = 2 where id = 20`)
	// To and fro: the model of the beginning holds again.
	w.onMaster(`update k set v = 11 where id = 5`)
	w.onMaster(`alter table k replica identity full`)
	w.onMaster(`update k set v = 12 where id = 5`)
	w.onMaster(`alter table k replica identity default`)
	w.onMaster(`update k set v = 13 where id = 5`)
	w.run(pgbridge.Role{Replica: "r1"})
	w.wait()
	w.same()
	if n := w.logged(inOrder); n != 0 {
		t.Errorf("%d windows were applied in order", n)
	}
}

func TestManyTransactionsOfManySessions(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table t (id int primary key, v int, s text); insert into t select i, 0, '' from generate_series(1, 50) i; create table log (id int, v int)`)
	w.init()
	w.run()
	var sessions sync.WaitGroup
	errs := make([]error, 10)
	for n := range errs {
		sessions.Go(func() { errs[n] = writeMany(t.Context(), w, n) })
	}
	sessions.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.onMaster(`insert into t select i, 0, 'large' from generate_series(1000, 101000) i`)
	w.onMaster(`update t set v = v + 1 where id > 900`)
	w.onMaster(`begin; delete from t where id between 2000 and 60000; insert into t select i, 1, 'again' from generate_series(2000, 30000) i; update t set s = 'and again' where id between 2000 and 3000; commit`)
	w.wait()
	w.same()
}

// writeMany is one writer of many.
func writeMany(ctx context.Context, w *world, n int) error {
	conn, err := pgx.Connect(ctx, w.master.URL("app"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for i := range 100 {
		id := (i*7+n*13)%50 + 1
		if _, err := conn.Exec(ctx, `update t set v = v + 1, s = $2 where id = $1`, id, fmt.Sprint(n)); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, `insert into log values ($1, $2)`, n, i); err != nil {
			return err
		}
	}
	return nil
}
