package check

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

func TestDifferencesAreNamed(t *testing.T) {
	for _, test := range []struct {
		name   string
		both   string // run on both sides
		change string // run behind the replica's back
		want   []string
	}{
		{
			name: "a row changed, one missing and one extra among 100000",
			both: `create table t (id int primary key, v text, n numeric);
				insert into t select i, 'value ' || i, i * 1.10 from generate_series(1, 100000) i`,
			change: `update t set v = 'other', n = 7 where id = 17; delete from t where id = 99999; insert into t values (-3, null, 1)`,
			want: []string{
				"public.t: id=17 differs in v, n: 'value 17', 18.70 on master, 'other', 7 on replica",
				`public.t: id=99999 missing on replica: (99999,"value 99999",109998.90)`,
				"public.t: id=-3 only on replica: (-3,,1)",
			},
		},
		{
			name: "composite keys of odd text, sorted differently on both sides",
			both: `create table t (a text, b text, v int, primary key (a, b));
				insert into t select chr(33 + i % 300) || i, '''"\ ,(){}' || chr(33 + i % 97), i from generate_series(1, 5000) i;
				insert into t values ('', '', 0), ('a', 'b', 1), ('A', 'b', 2), ('á', 'b', 3), (E'\n', E'\t', 4)`,
			change: `update t set v = -1 where a in ('A', E'\n'); delete from t where a = '' and b = ''; insert into t values ('Ä''', 'x', 5)`,
			want: []string{
				"public.t: (a='A', b='b') differs in v: 2 on master, -1 on replica",
				"public.t: (a='\n', b='\t') differs in v: 4 on master, -1 on replica",
				`public.t: (a='', b='') missing on replica: ("","",0)`,
				"public.t: (a='Ä''', b='x') only on replica: (Ä',x,5)",
			},
		},
		{
			name: "uuid key, null and empty string",
			both: `create table t (id uuid primary key, v text, w text);
				insert into t select md5(i::text)::uuid, 'x', null from generate_series(1, 1000) i;
				insert into t values ('aaaaaaaa-0000-0000-0000-000000000001', null, ''), ('aaaaaaaa-0000-0000-0000-000000000002', 'NULL', '')`,
			change: `update t set v = w, w = v where id = 'aaaaaaaa-0000-0000-0000-000000000001';
				update t set v = null where id = 'aaaaaaaa-0000-0000-0000-000000000002'`,
			want: []string{
				"public.t: id='aaaaaaaa-0000-0000-0000-000000000001' differs in v, w: null, '' on master, '', null on replica",
				"public.t: id='aaaaaaaa-0000-0000-0000-000000000002' differs in v: 'NULL' on master, null on replica",
			},
		},
		{
			name: "no key, with duplicates",
			both: `create table t (a int, b text);
				insert into t select i % 1000, 'x' from generate_series(1, 5000) i;
				insert into t values (-1, null), (-1, null), (-1, ''), (-2, 'y')`,
			change: `delete from t where ctid = (select ctid from t where b is null limit 1);
				insert into t values (7, 'x'), (-2, 'z'); delete from t where b = 'y'`,
			want: []string{
				"public.t: (-1,) differs: 2× on master, 1× on replica",
				"public.t: (7,x) differs: 5× on master, 6× on replica",
				"public.t: (-2,z) only on replica: 0× on master, 1× on replica",
				"public.t: (-2,y) missing on replica: 1× on master, 0× on replica",
			},
		},
		{
			name: "values that are equal, or have no equality, but are not the same",
			both: `create table t (id int primary key, f float8, n numeric, j json, x xml, b bytea, p point);
				insert into t values (1, '-0', 1.0, '{"a":1}', '<a/>', '\x00', '(1,1)'), (2, 'NaN', 1, null, null, null, null)`,
			change: `update t set f = 0, n = 1.00, j = '{"a": 1}', x = '<a />', b = '\x0000', p = '(1,1.0000000001)' where id = 1;
				update t set f = 'infinity' where id = 2`,
			want: []string{
				`public.t: id=1 differs in f, n, j, x, b, p: -0, 1.0, '{"a":1}', '<a/>', E'\\x00', '(1,1)' on master, ` +
					`0, 1.00, '{"a": 1}', '<a />', E'\\x0000', '(1,1.0000000001)' on replica`,
				"public.t: id=2 differs in f: NaN on master, Infinity on replica",
			},
		},
		{
			name:   "keys that are equal but not the same",
			both:   `create table t (id numeric primary key); insert into t values (1.0), (2)`,
			change: `update t set id = 1.00 where id = 1`,
			want:   []string{"public.t: id=1.0 missing on replica: (1.0)", "public.t: id=1.00 only on replica: (1.00)"},
		},
		{
			name: "keys whose comparison lives outside of pg_catalog, and which casts to text do not show",
			both: `create schema s; create domain s.code as char(4); create type s.e as enum ('b', 'a');
				create table t (id s.code, e s.e, c "char", r int4range, f float8, primary key (id, e, c, r, f), v bool);
				insert into t select to_char(i, '000'), 'b', 'x', int4range(i, i + 2), i / 3.0, true from generate_series(1, 500) i`,
			change: `update t set v = false where id = ' 007'`,
			want: []string{
				"public.t: (id=' 007', e='b', c='x', r='[7,9)', f=2.3333333333333335) differs in v: t on master, f on replica",
			},
		},
		{
			name:   "a long value that differs late",
			both:   `create table t (id int primary key, v text); insert into t values (1, repeat('a', 500) || 'bcd' || repeat('z', 100000))`,
			change: `update t set v = repeat('a', 500) || 'xyz' || repeat('z', 100000)`,
			want: []string{
				"public.t: id=1 differs in v: …" + strings.Repeat("a", 10) + "bcd" + strings.Repeat("z", 27) + "… on master, …" +
					strings.Repeat("a", 10) + "xyz" + strings.Repeat("z", 27) + "… on replica",
			},
		},
		{
			name:   "the same key twice on a replica that lost its index",
			both:   `create table t (id int primary key, v int); insert into t values (1, 1), (2, 2)`,
			change: `alter table t drop constraint t_pkey; insert into t values (1, 1)`,
			want:   []string{"public.t: id=1 differs: 1× on master, 2× on replica"},
		},
		{
			name:   "a generated column",
			both:   `create table t (id int primary key, g int generated always as (id * 2) stored); insert into t values (1), (2)`,
			change: `alter table t alter g drop expression; update t set g = 5 where id = 2`,
			want:   []string{"public.t: id=2 differs in g: 4 on master, 5 on replica"},
		},
		{
			name:   "a missing column, and a row besides",
			both:   `create table t (id int primary key, "A b" int, v int); insert into t values (1, 2, 3), (2, 3, 4)`,
			change: `alter table t drop column "A b"; update t set v = 9 where id = 2`,
			want:   []string{"public.t: column missing on replica: A b", "public.t: id=2 differs in v: 4 on master, 9 on replica"},
		},
		{
			name:   "a missing key column",
			both:   `create table t (id int primary key, v int); insert into t values (1, 2), (2, 3)`,
			change: `alter table t drop column id; delete from t where v = 3`,
			want:   []string{"public.t: column missing on replica: id", "public.t: (3) missing on replica: 1× on master, 0× on replica"},
		},
		{
			name:   "a missing table",
			both:   `create table t (id int primary key); insert into t values (1)`,
			change: `drop table t`,
			want:   []string{"public.t: table missing on replica"},
		},
		{
			name:   "rows of a child table are not its parent's",
			both:   `create table t (id int primary key); create table child () inherits (t); insert into t values (1)`,
			change: `insert into child values (2)`,
		},
		{
			name:   "no columns",
			both:   `create table t (); insert into t default values; insert into t default values`,
			change: `delete from t where ctid = '(0,1)'`,
			want:   []string{"public.t: () differs: 2× on master, 1× on replica"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPair(t, pgtest.DB(t), otherDB(t, "icu", `locale_provider icu icu_locale 'de' locale 'C' encoding 'UTF8'`))
			p.both(t, test.both)
			wantDifferences(t, p.check(t, "t", Options{}))
			if t.Failed() {
				return
			}
			table := p.table(t, "t")
			run(t, p.onReplica, test.change)
			result, err := Data(t.Context(), p.master, p.replica, table, Options{})
			if err != nil {
				t.Fatal(err)
			}
			wantDifferences(t, result, test.want...)
		})
	}
}

func TestAnEmptyReplicaIsCountedWithinTheLimit(t *testing.T) {
	p := newPair(t, pgtest.DB(t), pgtest.DB(t))
	p.both(t, `create table t (id int primary key, v text) with (fillfactor = 10)`) // a page a row
	run(t, p.onMaster, `insert into t select i, repeat('x', 900) from generate_series(1, 20000) i; analyze t`)
	var calls, last, total int64
	result := p.check(t, "t", Options{Limit: 5, Progress: func(table string, rows, of int64) {
		if table != "public.t" || rows < last {
			t.Errorf("progress of %s: %d rows after %d", table, rows, last)
		}
		calls, last, total = calls+1, rows, of
	}})
	if result.Rows != 20000 || len(result.Differences) != 5 || result.More != 19995 {
		t.Fatalf("rows=%d differences=%d more=%d, want 20000, 5 and 19995", result.Rows, len(result.Differences), result.More)
	}
	if calls < 4 || last != 20000 || total != 20000 {
		t.Fatalf("%d calls of progress, the last %d of %d, want some, and 20000 of 20000", calls, last, total)
	}
}

func TestATableThatIsGoneFromTheMaster(t *testing.T) {
	p := newPair(t, pgtest.DB(t), pgtest.DB(t))
	p.both(t, `create table t (id int primary key)`)
	table := p.table(t, "t")
	run(t, p.onMaster, `drop table t`)
	if _, err := Data(t.Context(), p.master, p.replica, table, Options{}); !errors.Is(err, ErrGone) {
		t.Fatalf("err=%v, want ErrGone", err)
	}
}

func TestCandidatesAreReadByTheirIndex(t *testing.T) {
	p := newPair(t, pgtest.DB(t), pgtest.DB(t))
	p.both(t, `create extension if not exists citext schema public;
		create table t (a public.citext, b varchar(20), c numeric(10, 2), primary key (a, b, c));
		insert into t select 'Key ' || i, i, i from generate_series(1, 100000) i; analyze t`)
	c := &comparison{table: p.table(t, "t"), opt: Options{}.withDefaults()}
	if _, err := c.open(t.Context(), p.master, p.replica); err != nil {
		t.Fatal(err)
	}
	sql := fmt.Sprintf("explain select k.ord from %s", c.master.byKeys())
	rows, err := c.master.query(t.Context(), sql, c.master.keyArgs([][]string{{"Key 1", "1", "1.00"}})...)
	if err != nil {
		t.Fatal(err)
	}
	var plan []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, line)
	}
	if rows.Err() != nil || !strings.Contains(strings.Join(plan, "\n"), "using t_pkey") {
		t.Fatalf("err %v; plan without the primary key's index:\n%s", rows.Err(), strings.Join(plan, "\n"))
	}
	run(t, p.onReplica, `update t set a = 'KEY 77' where a = 'key 77'`)
	wantDifferences(t, p.check(t, "t", Options{}),
		`public.t: (a='Key 77', b='77', c=77.00) missing on replica: ("Key 77",77,77.00)`,
		`public.t: (a='KEY 77', b='77', c=77.00) only on replica: ("KEY 77",77,77.00)`)
}
