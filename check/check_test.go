package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// pair is a master and a replica at rest: two databases, each with a connection that is pinned and one that writes.
type pair struct {
	master, replica     *pgx.Conn
	onMaster, onReplica *pgx.Conn
}

func newPair(t *testing.T, masterURL, replicaURL string) *pair {
	t.Helper()
	p := &pair{
		master: connect(t, masterURL), replica: connect(t, replicaURL),
		onMaster: connect(t, masterURL), onReplica: connect(t, replicaURL),
	}
	for _, conn := range []*pgx.Conn{p.master, p.replica} {
		if err := Pin(t.Context(), conn); err != nil {
			t.Fatal(err)
		}
	}
	run(t, p.onMaster, `create publication bridge for all tables`)
	return p
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// both runs SQL on both sides.
func (p *pair) both(t *testing.T, sql string) {
	t.Helper()
	run(t, p.onMaster, sql)
	run(t, p.onReplica, sql)
}

func run(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if err := conn.PgConn().Exec(t.Context(), sql).Close(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// table lists one table of the master.
func (p *pair) table(t *testing.T, name string) Table {
	t.Helper()
	tables, err := Tables(t.Context(), p.master, "bridge", func(_, table string) bool { return table == name })
	if err != nil {
		t.Fatal(err)
	}
	if len(tables) != 1 {
		t.Fatalf("%d tables are called %s, want 1", len(tables), name)
	}
	return tables[0]
}

func (p *pair) check(t *testing.T, name string, opt Options) Result {
	t.Helper()
	result, err := Data(t.Context(), p.master, p.replica, p.table(t, name), opt)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func texts(r Result) []string {
	var s []string
	for _, d := range r.Differences {
		s = append(s, d.String())
	}
	return s
}

func wantDifferences(t *testing.T, r Result, want ...string) {
	t.Helper()
	got := texts(r)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || r.More != 0 || len(r.Unsettled) != 0 || r.UnsettledMore != 0 {
		t.Fatalf("got %d differences, %d more, unsettled %v:\n%s\nwant:\n%s", len(got), r.More, r.Unsettled,
			strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTablesListsLeavesWithTheirKeys(t *testing.T) {
	url := pgtest.DB(t)
	p := newPair(t, url, url)
	run(t, p.onMaster, `
		create table plain (a int, b text, s int generated always as (a + 1) stored, primary key (b, a));
		create table bare (a int);
		create table empty ();
		create table "Odd.Name" ("Id" int not null, x int);
		create unique index odd on "Odd.Name" ("Id") include (x);
		alter table "Odd.Name" replica identity using index odd;
		create table parted (id int primary key, d int) partition by range (id);
		create table parted_1 partition of parted for values from (1) to (10);
		create table parted_2 partition of parted for values from (10) to (20) partition by range (id);
		create table parted_2_a partition of parted_2 for values from (10) to (15);
		create table skipped (id int);
		alter table bare drop column a, add column b int;
		create publication roots for table parted with (publish_via_partition_root = true)`)
	match := func(_, table string) bool { return table != "skipped" }
	tables, err := Tables(t.Context(), p.master, "bridge", match)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, table := range tables {
		got = append(got, fmt.Sprintf("%s %v key %v", table, table.Columns, table.Key))
	}
	want := []string{
		"public.Odd.Name [{Id false} {x false}] key [Id]",
		"public.bare [{b false}] key []",
		"public.empty [] key []",
		"public.parted_1 [{id false} {d false}] key [id]",
		"public.parted_2_a [{id false} {d false}] key [id]",
		"public.plain [{a false} {b false} {s true}] key [b a]",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	tables, err = Tables(t.Context(), p.master, "roots", nil)
	if err != nil || len(tables) != 2 {
		t.Fatalf("a publication of a partition root lists %v (%v), want its two leaves", tables, err)
	}
	if _, err := Tables(t.Context(), p.master, "nowhere", nil); err == nil {
		t.Fatal("a publication that does not exist is no error")
	}
}

// The replica has another collation, another encoding, other defaults and another order of columns.
func TestEqualTablesOfAllTypes(t *testing.T) {
	schema := `
		create schema app;
		create type app.mood as enum ('sad', 'ok', 'happy');
		create type app.place as (x int, name text);
		create domain app.percent as numeric check (value >= 0);
		create table app.everything (%s, s int generated always as (i + 1) stored, primary key (i, t, v, c, u, m, n, ts, d, by));`
	columns := []string{
		`i int`, `t text`, `v varchar(10)`, `c char(10)`, `u uuid`, `m app.mood`, `n numeric`, `ts timestamptz`, `d double precision`,
		`by bytea`, `b boolean`, `i2 smallint`, `i8 bigint`, `r real`, `dt date`, `tm time`, `tz timetz`, `tsn timestamp`, `iv interval`,
		`j json`, `jb jsonb`, `x xml`, `arr text[]`, `ints int[]`, `pl app.place`, `pls app.place[]`, `pc app.percent`, `rg int4range`,
		`mr int4multirange`, `ip inet`, `cd cidr`, `mac macaddr`, `bt bit(5)`, `vb varbit`, `pt point`, `bx box`, `tsv tsvector`,
		`tsq tsquery`, `mn money`, `q "char"`, `nm name`, `ob oid`, `rc regclass`, `lsn pg_lsn`, `jp jsonpath`,
	}
	rows := `
		insert into app.everything values
		(1, '', '', '', '00000000-0000-0000-0000-000000000001', 'sad', 1.0, '2020-01-01 12:00+02', 1.5, '\x00ff',
		 true, 1, 1, 1.1, '2020-02-29', '12:00', '12:00+02', '2020-01-01', '1 year 2 days 3 seconds',
		 '{"a": 1,  "a": 2}', '{"b": [1, null]}', '<a b="c">d</a>', '{a,NULL,"",",x"}', '[2:3]={1,2}', '(1,"a,b")', '{"(,)"}', 12.50, '[1,5)',
		 '{[1,2),[5,9)}', '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '10101', '1', '(1,2)', '(1,2),(0,0)', 'a fat cat',
		 'fat & cat', '12.34', 'x', 'name', 16384, 'pg_class', '0/16B3748', '$.a[*]'),
		(-1, E'tab\t quote " '' back\\slash, ü ß é', 'ÄÖ', 'ab', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'happy', 'NaN', '-infinity', 'NaN', '',
		 false, -1, 9223372036854775807, '-0', '0044-03-15 BC', '24:00', '00:00-12', 'infinity', '-1 mon +2 days -00:00:01.5',
		 null, null, null, '{}', null, null, null, null, 'empty', '{}', '::1', '::/0', null, null, null, null, null, '',
		 null, '-1', '', '', 0, null, null, null),
		(2, 'a', 'a', 'a', '00000000-0000-0000-0000-000000000002', 'ok', 1e-20, '0001-01-01 BC', '-0', '\x',
		 null, null, null, 'infinity', null, null, null, null, null, null, null, null, null, null, (null, null)::app.place, null, null, null, null,
		 null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
		(3, 'a', 'a', 'a', '00000000-0000-0000-0000-000000000002', 'ok', 1.00, 'infinity', 4.9e-324, '\x',
		 null, null, null, 3.4028235e38, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
		 null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null)`
	rows = strings.Replace(rows, "everything values", "everything ("+names(columns)+") values", 1)
	other := slices.Clone(columns)
	slices.Reverse(other)

	replicas := map[string]string{}
	for _, major := range pgtest.Versions(t) {
		replicas[fmt.Sprintf("version %d", major)] = pgtest.NewDB(t, pgtest.SharedVersion(t, major))
	}
	replicas["latin1"] = otherDB(t, "latin1", `encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'`)
	for name, url := range replicas {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, pgtest.DB(t), url)
			run(t, p.onMaster, fmt.Sprintf(schema, strings.Join(columns, ", ")))
			run(t, p.onReplica, fmt.Sprintf(schema, strings.Join(other, ", ")))
			run(t, p.onReplica, `
				do $$ begin
					execute format('alter database %I set timezone = ''Asia/Tokyo''', current_database());
					execute format('alter database %I set datestyle = ''SQL, DMY''', current_database());
					execute format('alter database %I set extra_float_digits = ''-5''', current_database());
					execute format('alter database %I set bytea_output = ''escape''', current_database());
				end $$`)
			p.both(t, "set client_encoding to 'UTF8'")
			p.both(t, rows)
			p.replica = connect(t, url)
			if err := Pin(t.Context(), p.replica); err != nil {
				t.Fatal(err)
			}
			r := p.check(t, "everything", Options{})
			wantDifferences(t, r)
			if r.Rows != 4 {
				t.Fatalf("rows=%d, want 4", r.Rows)
			}
			// Every row is found again by its key, on both sides.
			run(t, p.onReplica, `update app.everything set i2 = 77`)
			r = p.check(t, "everything", Options{})
			if len(r.Differences) != 4 {
				t.Fatalf("got %v, want 4 differences", texts(r))
			}
			for _, d := range r.Differences {
				if d.What != Differs || !slices.Equal(d.Columns, []string{"i2"}) {
					t.Errorf("got %s, want column i2 to differ", d)
				}
			}
		})
	}
}

func names(columns []string) string {
	var s []string
	for _, c := range columns {
		s = append(s, strings.Fields(c)[0])
	}
	return strings.Join(s, ", ")
}

// otherDB creates a database with options on the shared server.
func otherDB(t *testing.T, name, options string) string {
	t.Helper()
	srv := pgtest.Shared(t)
	admin := connect(t, srv.URL("postgres"))
	name = "check_" + name
	run(t, admin, "create database "+name+" template template0 "+options)
	t.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), srv.URL("postgres"))
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), "drop database "+name+" with (force)"); err != nil {
			t.Error(err)
		}
	})
	return srv.URL(name)
}
