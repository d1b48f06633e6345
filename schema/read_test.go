package schema_test

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
	"github.com/pgbridge/pgbridge/schema"
)

func names(m *schema.Model) []string {
	var list []string
	for _, o := range m.Objects {
		if o.Kind != schema.KindExtension && o.Kind != schema.KindSchema && o.Kind != schema.KindPrivileges {
			list = append(list, o.String())
		}
	}
	return list
}

func wantNames(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %s\nwant %s", what, strings.Join(got, "; "), strings.Join(want, "; "))
	}
}

func TestOptionsLeaveOutWhatNeedsTheExcluded(t *testing.T) {
	url := pgtest.DB(t)
	conn := connect(t, url)
	run(t, conn, `
create schema other;
create type other.mood as enum ('ok');
create table other.o (id integer primary key);
create table kept (id integer primary key, o integer references other.o, u integer default 1);
create table unwanted (id serial primary key, a text unique);
create index on unwanted (lower(a));
create view v as select a from unwanted;
create view w as select id from kept;
alter table kept alter column u set default nextval('unwanted_id_seq');
create table moody (m other.mood);
create table parent (a integer) partition by list (a);
create table part partition of parent for values in (1);
comment on table unwanted is 'gone';
`)
	opt := schema.Options{
		Schema: func(name string) bool { return name == "public" },
		Table:  func(_, name string) bool { return name != "unwanted" && name != "parent" },
	}
	m := read(t, conn, opt)
	wantNames(t, "objects", names(m), "table public.kept", "table public.part", "view public.w", "constraint kept_pkey of public.kept")
	wantNames(t, "left out", m.LeftOut,
		"default u of public.kept needs sequence public.unwanted_id_seq, which is not taken",
		"foreign key kept_o_fkey of public.kept needs table other.o, which is not taken",
		"partition of public.part needs table public.parent, which is not taken",
		"table public.moody needs type other.mood, which is not taken",
		"view public.v needs table public.unwanted, which is not taken",
	)
	b := connect(t, pgtest.DB(t))
	create(t, b, m)
	noDifferences(t, schema.Diff(m, read(t, b, opt)))
}

func TestReadInTransactionSeesItAndLeavesSettings(t *testing.T) {
	conn := connect(t, pgtest.DB(t))
	run(t, conn, `set search_path = pg_catalog; set timezone = 'Asia/Tokyo'`)
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run(t, conn, `set local datestyle = 'SQL, DMY'; create table public.fresh (d timestamptz default '2024-02-01 00:00+00')`)
	m := read(t, tx.Conn(), schema.Options{})
	wantNames(t, "objects", names(m), "table public.fresh", "default d of public.fresh")
	i := slices.IndexFunc(m.Objects, func(o *schema.Object) bool { return o.Kind == schema.KindDefault })
	if got, want := m.Objects[i].Definition, "'2024-02-01 00:00:00+00'::timestamp with time zone"; got != want {
		t.Errorf("default %s, want %s", got, want)
	}
	var got string
	show := `select concat_ws('; ', current_setting('search_path'), current_setting('timezone'), current_setting('datestyle'))`
	if err := tx.QueryRow(t.Context(), show).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if want := "pg_catalog; Asia/Tokyo; SQL, DMY"; got != want {
		t.Errorf("settings after Read: %s, want %s", got, want)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantNames(t, "objects after rollback", names(read(t, conn, schema.Options{})))
	if status := conn.PgConn().TxStatus(); status != 'I' {
		t.Errorf("transaction status %c after Read, want I", status)
	}
}

func TestOneWithoutPrivilegesReadsTheSame(t *testing.T) {
	url := pgtest.DB(t)
	conn := connect(t, url)
	run(t, conn, zoo(t, 14))
	run(t, conn, `create role schema_reader`) // the model knows which roles there are
	want := read(t, conn, schema.Options{})
	defer run(t, conn, `reset role; drop role schema_reader`)
	run(t, conn, `set role schema_reader`)
	if got := read(t, conn, schema.Options{}); !reflect.DeepEqual(got, want) {
		noDifferences(t, schema.Diff(want, got))
		t.Error("the models differ")
	}
}

func TestTables(t *testing.T) {
	conn := connect(t, pgtest.DB(t))
	run(t, conn, zoo(t, 14))
	run(t, conn, `insert into app.nokey select n, point(n, n) from generate_series(1, 1000) as n; analyze app.nokey`)
	tables := map[string]*schema.Table{}
	for _, table := range read(t, conn, schema.Options{}).Tables() {
		tables[table.Name] = table
	}
	for _, want := range []struct {
		name     string
		identity byte
		columns  []string
		key      []string
	}{
		{"customers", 'd', []string{"id"}, []string{"id"}},
		{"by_index", 'i', []string{"b", "a"}, nil},
		{"nokey", 'f', nil, nil},
		{"silent", 'n', nil, []string{"a"}},
		{"events_2025", 'd', []string{"id", "at"}, []string{"id", "at"}},
		{"Select", 'd', []string{"Id"}, []string{"Id"}},
		{"empty", 'd', nil, nil},
	} {
		got := tables[want.name]
		if got.ReplicaIdentity != want.identity || !slices.Equal(got.Identity, want.columns) || !slices.Equal(got.PrimaryKey, want.key) {
			t.Errorf("%s: replica identity %c, by %q, key %q; want %c, %q, %q", want.name, got.ReplicaIdentity, got.Identity, got.PrimaryKey,
				want.identity, want.columns, want.key)
		}
	}
	if got := tables["nokey"]; got.Rows != 1000 || got.Bytes < 8192 {
		t.Errorf("nokey: %d rows, %d bytes, want 1000 rows and a page at least", got.Rows, got.Bytes)
	}
	if e, p, s := tables["events"], tables["events_default_0"], tables["scratch"]; !e.Partitioned || e.Partition || p.Partitioned || !p.Partition || !s.Unlogged {
		t.Errorf("events %+v, events_default_0 %+v, scratch %+v", e, p, s)
	}
	var got []string
	for _, c := range tables["customers"].Columns {
		if c.Num > 11 || c.Identity != "" {
			got = append(got, fmt.Sprintf("%d %s %s %v %s%s", c.Num, c.Name, c.Type, c.NotNull, c.Generated, c.Identity))
		}
	}
	wantNames(t, "columns", got, "1 id bigint true always", "12 doubled integer false stored", "13 body text false ", "14 code text false ",
		"16 user name false ", "17 added integer true ")
}

// A large schema is not read table by table: the queries are as many as for a small one.
func TestReadAsksAsMuchOfManyTables(t *testing.T) {
	cfg, err := pgx.ParseConfig(pgtest.DB(t))
	if err != nil {
		t.Fatal(err)
	}
	var asked queries
	cfg.Tracer = &asked
	conn, err := pgx.ConnectConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	tables := func(from, to int) {
		run(t, conn, fmt.Sprintf(`
do $$
begin
	for i in %d .. %d loop
		execute format('create table t%%s (id bigserial primary key, a text not null default ''x'', b numeric(10,2) check (b > 0), c timestamptz default now())', i);
		execute format('create index on t%%s (c)', i);
	end loop;
end $$`, from, to))
	}
	reads := func(want int) int {
		asked = 0
		m := read(t, conn, schema.Options{})
		if got := len(m.Tables()); got != want {
			t.Errorf("%d tables, want %d", got, want)
		}
		noDifferences(t, schema.Diff(m, m))
		return int(asked)
	}
	tables(1, 2)
	few := reads(2)
	tables(3, 500)
	tables(501, 1000)
	if many := reads(1000); few == 0 || many != few {
		t.Errorf("%d queries for 1000 tables, and %d for 2", many, few)
	}
}

// queries counts what a connection is asked.
type queries int

func (q *queries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	*q++
	return ctx
}

func (*queries) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestQuote(t *testing.T) {
	conn := connect(t, pgtest.DB(t))
	words := []string{"a", "A", "a1", "1a", "a b", `a"b`, "", "ä", "_x", "a$", "public", "Public"}
	rows, err := conn.Query(t.Context(), "select word from pg_get_keywords()")
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var word string
		if err := rows.Scan(&word); err != nil {
			t.Fatal(err)
		}
		words = append(words, word)
	}
	for _, word := range words {
		var want string
		if err := conn.QueryRow(t.Context(), "select quote_ident($1)", word).Scan(&want); err != nil {
			t.Fatal(err)
		}
		// A word that a later version has reserved is quoted too.
		if got := schema.Quote(word); got != want && got != `"`+want+`"` {
			t.Errorf("Quote(%q) = %s, want %s", word, got, want)
		}
	}
	if got, want := schema.Quote("public", "User", "id"), `public."User".id`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
