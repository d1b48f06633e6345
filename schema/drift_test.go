package schema_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pgbridge/pgbridge/pgserver/pgtest"
	"github.com/pgbridge/pgbridge/schema"
)

func TestDefinitionsAreShownWhereTheyDiffer(t *testing.T) {
	apart := func(a, b string) (string, string) { return schema.Difference{A: a, B: b}.Apart() }
	a, b := apart("create  view\n v", "create view w")
	if a != "create view v" || b != "create view w" {
		t.Errorf("got %q, %q", a, b)
	}
	a, b = apart(strings.Repeat("x", 200)+"1", strings.Repeat("x", 200)+"2"+strings.Repeat("y", 200))
	if a != "…"+strings.Repeat("x", 30)+"1" || b != "…"+strings.Repeat("x", 30)+"2"+strings.Repeat("y", 89)+"…" {
		t.Errorf("got %q, %q", a, b)
	}
}

// TestFindDrift changes the zoo by hand. What is not safe is marked with an exclamation mark.
func TestFindDrift(t *testing.T) {
	conn := connect(t, pgtest.NewDB(t, pgtest.SharedVersion(t, wording)))
	run(t, conn, zoo(t, 14)+`
create table app.plain (id integer primary key, s varchar(20), n numeric);
create type app.other_pair as (a integer);
set search_path = '';`)
	master := read(t, conn, schema.Options{})
	transcript(t, "testdata/drift.txt", func(t *testing.T, sql string) string {
		var b strings.Builder
		inTransaction(t, conn, sql, func() {
			for _, d := range schema.FindDrift(master, read(t, conn, schema.Options{})) {
				mark := "-"
				if d.Stops {
					mark = "!"
				}
				fmt.Fprintf(&b, "%s %s\n", mark, d.Explain())
			}
		})
		return b.String()
	})
}

// TestLasting changes a replica by hand, and then the master.
func TestLasting(t *testing.T) {
	conn := connect(t, pgtest.DB(t))
	run(t, conn, `
create table t (a int primary key, b text, c text, d text);
create table u (a int);
create function touch() returns trigger language plpgsql as 'begin return new; end';
create trigger stays before update on t for each row execute function touch();
create trigger goes before update on t for each row execute function touch();
create view stays as select a from t;
create view goes as select a from t;
create index other on t (b);`)
	model := read(t, conn, schema.Options{})
	var drift []schema.Drift
	inTransaction(t, conn, `
drop view stays, goes; drop index other; drop table u;
alter table t drop b, alter c type int using null, drop d, enable always trigger stays, enable always trigger goes`, func() {
		drift = schema.FindDrift(model, read(t, conn, schema.Options{}))
	})
	run(t, conn, `drop view goes; drop index other; create index other on t (c); alter table t drop d, alter c type varchar(3); drop trigger goes on t; alter table u add b int`)
	var got []string
	for _, d := range schema.Lasting(drift, read(t, conn, schema.Options{})) {
		got = append(got, d.String())
	}
	wantNames(t, "lasting", got, "column b of public.t: missing on replica", "view public.stays: missing on replica", "trigger stays of public.t: differs")
	if len(drift) != 9 {
		t.Errorf("%d differences, want 9: %v", len(drift), drift)
	}
}

// expressions are of all forms, among them those whose text changes when it is loaded again.
var expressions = []string{
	`v in ('a','b')`,
	`v not in ('a','b')`,
	`v10 in ('a','b')`,
	`c in ('a','b')`,
	`v = any (array['a','b'])`,
	`v similar to 'a%'`,
	`big in (1, 2)`,
	`num in (1, 2.5, i)`,
	`num > -1.5`,
	`f in ('NaN', 1)`,
	`d > date '2020-01-01' + 1`,
	`ts in ('2020-01-01'::timestamp, '2021-01-01')`,
	`(i, big) in ((1, 2), (3, 4))`,
	`case v when 'a' then true end`,
	`arr @> array[1::smallint]::int[]`,
	`va && '{a}'`,
	`va <@ array['a','b']::varchar[]`,
	`va <@ array['a','b']::text[]::varchar(5)[]`,
	`x in (v, 'b')`,
	`v in (x, 'b')`,
	`v in (v10, 'b', null)`,
	`v10 = any (array[v, 'z'])`,
	`v in ('a'::text, 'b'::varchar(3))`,
	`v in ('a'::text::varchar, 'b'::varchar(3))`,
	`v in ('a'::varchar(3), 'b'::varchar(3))`,
	`v in ('a'::varchar(2), 'b'::varchar(3))`,
	`v = any (array[v10, 'z'])`,
	`v = any (array[v10, v10])`,
	`v = any (array[v10, 'z'::varchar(10)])`,
	`v = any (array[case when i > 0 then v10 else 'z' end, 'z'])`,
	`c in ('a'::char(3), 'b'::char(2))`,
	`f = any (array[num, 1.5::numeric(3,1), 2.5])`,
	`f = any (array[num, 1.5::numeric(10,2)])`,
	`v = any (array[array[v10, 'z'], array['a'::varchar(3), 'b']])`,
	`v like any (array['a%','b%']::varchar[])`,
	`e in ('ok','bad')`,
	`e::text in ('ok','bad')`,
	`dom in ('a','b')`,
	`(comp).b in ('a','b')`,
	`coalesce(v in ('a','b'), false)`,
	`case when v in ('a','b') then c in ('x','y') else v not in ('q''[],(r', 's"') end`,
	`(array[array['a', v], array['(', ']']])[1][i] in ('a','b')`,
	`v between 'a' and 'z'`,
	`j ->> 'a' in ('x','y')`,
	`v || i = 'x\y'`,
	`(array[i + 1, i])[1]::bigint in (1, 2)`,
	`(array[i + 1, i])::bigint[] = array[big]`,
}

// TestLoadedAgainIsNoDifference has each expression in a check constraint, a view, an index, a policy, a rule, a generated
// column, statistics and a function.
func TestLoadedAgainIsNoDifference(t *testing.T) {
	majors := pgtest.Versions(t)
	for _, major := range majors {
		if major != wording && major != majors[0] && major != majors[len(majors)-1] {
			continue
		}
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			srv := pgtest.SharedVersion(t, major)
			a, b := connect(t, pgtest.NewDB(t, srv)), connect(t, pgtest.NewDB(t, srv))
			run(t, a, `
create type mood as enum ('ok', 'bad');
create domain dom as varchar(5);
create domain picky as varchar check (value in ('a', 'b'));
create type ctype as (a int, b varchar(4));
create function touch() returns trigger language plpgsql as 'begin return new; end';
create table t (v varchar, v10 varchar(10), c char, i int, big bigint, num numeric(10,2), f float8, d date, ts timestamp,
	arr int[], va varchar(5)[], j jsonb, x text, e mood, dom dom, comp ctype);
create table parted (v varchar) partition by list ((v in ('a', 'b')));
create table part partition of parted for values in (true);`)
			stable := map[string]bool{}
			for n, e := range expressions {
				run(t, a, fmt.Sprintf(`
alter table t add constraint c%[1]d check (%[2]s);
create view v%[1]d as select %[2]s as q, count(*) filter (where %[2]s) over () as n from t where %[2]s;
create policy p%[1]d on t using (%[2]s);
create rule r%[1]d as on update to t where exists (select from (select old.*) t where %[2]s) do also nothing;`, n, e))
				stable[e] = e != `e::text in ('ok','bad')`
				if stable[e] {
					run(t, a, fmt.Sprintf(`
create index i%[1]d on t ((case when %[2]s then i end)) where %[2]s;
create statistics s%[1]d on (%[2]s), i from t;
alter table t add g%[1]d boolean generated always as (%[2]s) stored;
create function f%[1]d(t) returns boolean language sql return (select %[2]s from (select $1.*) t);`, n, e))
				}
			}
			before := read(t, a, schema.Options{})
			create(t, b, before)
			after := read(t, b, schema.Options{})
			noDifferences(t, schema.Diff(before, after))
			changes := 0
			again := after.Show()
			for line := range strings.Lines(before.Show()) {
				if !strings.Contains(again, line) {
					changes++
				}
			}
			if changes == 0 {
				t.Error("no text has changed when it was loaded again: the test tests nothing")
			}
		})
	}
}
