package itest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	pgbridge "github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/config"
)

// typed is a type and some of its values, as text.
type typed struct {
	name   string
	values []string
}

const huge = "12345678901234567890123456789012345678901234567890.123456789012345678901234567890"

// extensions are made in schema public, whose operators the apply session has to name.
var extensions = []string{"citext", "hstore", "ltree", "intarray", "cube", "seg"}

const ownTypes = `
	create type mood as enum ('sad', 'it''s "ok"', E'a,b\\c', '');
	create type pair as (a int, b text);
	create type nest as (p pair, m mood, l pair[], "Q q" date);
	create domain posint as int check (value > 0);
	create domain short as varchar(20) not null check (value <> 'no');
	create domain ints as int[] check (array_length(value, 1) < 10);
	create domain dpair as pair check ((value).a is distinct from 0);
	create domain boxes as box[];
	create type floatrange as range (subtype = float8, subtype_diff = float8mi);
	create type textrange as range (subtype = text);
	create type "Odd ""type"".x" as enum ('x', 'Y z');`

var types = []typed{
	{name: "bool", values: []string{"t", "f"}},
	{name: "int2", values: []string{"0", "-32768", "32767"}},
	{name: "int4", values: []string{"0", "-2147483648", "2147483647"}},
	{name: "int8", values: []string{"0", "-9223372036854775808", "9223372036854775807"}},
	{name: "float4", values: []string{"0", "-0", "NaN", "Infinity", "-Infinity", "1.1", "3.4028235e38", "1e-45"}},
	{name: "float8", values: []string{"0", "-0", "NaN", "Infinity", "-Infinity", "0.1", "1.7976931348623157e308", "5e-324", "0.30000000000000004"}},
	{name: "numeric", values: []string{"0", "0.000", "-1.50", "1.5", "NaN", "Infinity", "-Infinity", huge, "1e-500", "9e1000"}},
	{name: "numeric(10,3)", values: []string{"0", "1.5", "-9999999.999", "NaN"}},
	{name: "money", values: []string{"0", "-1234567.89", "92233720368547758.07"}},
	{name: "text", values: []string{"", " ", "a\tb\nc\rd\\", `\.`, `\N`, "NULL", `{"a",'b'}`, "\x01\x1f\x7f", "😀é\u0301", strings.Repeat("long", 3000)}},
	{name: "varchar(20)", values: []string{"", "trailing  ", "ü"}},
	{name: "bpchar(6)", values: []string{"", "a", "abc  "}},
	{name: `"char"`, values: []string{"", "a", "\\", "\""}},
	{name: "name", values: []string{"", "a name", `"`}},
	{name: "bytea", values: []string{"", `\x00`, `\xdeadbeef00`, `\x5c2e27`}},
	{name: "date", values: []string{"2024-02-29", "0044-03-15 BC", "infinity", "-infinity", "5874897-12-31", "0001-01-01"}},
	{name: "time", values: []string{"00:00", "24:00:00", "12:34:56.789012"}},
	{name: "time(2)", values: []string{"00:00", "12:34:56.789012"}},
	{name: "timetz", values: []string{"00:00+00", "24:00:00-15:59", "12:34:56.789012+05:30", "01:02:03+15:59:59"}},
	{name: "timestamp", values: []string{"2024-02-29 12:00", "0044-03-15 01:02:03.000001 BC", "infinity", "-infinity", "294276-12-31 23:59:59.999999"}},
	{name: "timestamptz", values: []string{"2024-02-29 12:00+05:30", "4713-01-01 00:00:00 BC", "infinity", "-infinity", "294276-12-31 23:59:59.999999+00", "1883-11-18 12:03:57-07"}},
	{name: "timestamptz(0)", values: []string{"2024-02-29 12:00:00.7+00"}},
	{name: "interval", values: []string{"0", "1 year 2 mons -3 days +04:05:06.789", "-1 year +1 day", "-00:00:00.000001", "178000000 years", "24 hours", "1 day", "1 mon -1 day"}},
	{name: "interval day to second(3)", values: []string{"1 day 02:03:04.5678"}},
	{name: "uuid", values: []string{"00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}},
	{name: "json", values: []string{`{"a": 1,  "a":2}`, "null", `"\\u0000 \n"`, "[1, 2.50]", `{}`}},
	{name: "jsonb", values: []string{`{"b": 1, "a": [null, "x\"y\\", 1.50]}`, "null", `""`, "[]"}},
	{name: "jsonpath", values: []string{`$."a b"[*] ? (@ > 1)`, `strict $.x`}},
	{name: "xml", values: []string{"<a b='c'>d</a>", "text &amp; <x/>", "<?xml version=\"1.0\"?><r/>", ""}},
	{name: "bit(5)", values: []string{"10101", "00000"}},
	{name: "varbit", values: []string{"", "1", "101010101010101"}},
	{name: "bit", values: []string{"1", "0"}},
	{name: "tsvector", values: []string{"", "a:1A,2 'b c':3 'it''s'", `'\\x'`}},
	{name: "tsquery", values: []string{"", "a & !b | 'c d':*A", "a <-> b"}},
	{name: "point", values: []string{"(0,0)", "(-1.5,1e300)", "(NaN,Infinity)"}},
	{name: "line", values: []string{"{1,-1,0}", "{0.1,2,3}"}},
	{name: "lseg", values: []string{"[(0,0),(1,2)]"}},
	{name: "box", values: []string{"(1,2),(0,0)", "(0.1,0.2),(-1,-2)", "(1,1),(1,1)"}},
	{name: "path", values: []string{"((0,0),(1,1),(2,0))", "[(0,0),(1,1)]"}},
	{name: "polygon", values: []string{"((0,0),(1,1),(2,0))"}},
	{name: "circle", values: []string{"<(0,0),1>", "<(1.5,-2),0.1>"}},
	{name: "inet", values: []string{"10.0.0.1", "10.1.2.3/8", "::1", "fe80::1/64"}},
	{name: "cidr", values: []string{"10.0.0.0/8", "10.0.0.1/32", "2001:db8::/32"}},
	{name: "macaddr", values: []string{"08:00:2b:01:02:03"}},
	{name: "macaddr8", values: []string{"08:00:2b:01:02:03:04:05"}},
	{name: "oid", values: []string{"0", "4294967295"}},
	{name: "regclass", values: []string{"pg_class", "types.src", "0", `types."Reg ""class"""`}},
	{name: "regtype", values: []string{"integer", "types.mood", "timestamp with time zone", "types.pair[]"}},
	{name: "regproc", values: []string{"pg_catalog.now", "types.func"}},
	{name: "regprocedure", values: []string{"pg_catalog.abs(integer)", "types.func(integer,text)"}},
	{name: "regoperator", values: []string{"pg_catalog.+(integer,integer)", "public.=(public.citext,public.citext)"}},
	{name: "regnamespace", values: []string{"types", "pg_catalog"}},
	{name: "regrole", values: []string{"pg_monitor"}},
	{name: "regconfig", values: []string{"simple", "english"}},
	{name: "regdictionary", values: []string{"simple"}},
	{name: "regcollation", values: []string{`"C"`}},
	{name: "pg_lsn", values: []string{"0/0", "FFFFFFFF/FFFFFFFF"}},
	{name: "xid", values: []string{"0", "4294967295"}},
	{name: "xid8", values: []string{"0", "18446744073709551615"}},
	{name: "cid", values: []string{"7"}},
	{name: "tid", values: []string{"(0,1)", "(4294967295,65535)"}},
	{name: "txid_snapshot", values: []string{"10:20:10,14,15"}},
	{name: "pg_snapshot", values: []string{"10:20:10,14,15"}},
	{name: "int2vector", values: []string{"", "1 2 3"}},
	{name: "oidvector", values: []string{"", "1 2 3"}},
	{name: "refcursor", values: []string{"", "a \"cursor\""}},
	{name: "int4range", values: []string{"empty", "[1,5)", "(,)", "[7,)"}},
	{name: "int8range", values: []string{"empty", "(,5)"}},
	{name: "numrange", values: []string{"[1.0,1.50]", "(1.00,)", "empty", "[NaN,NaN]"}},
	{name: "tsrange", values: []string{`["2024-01-01 00:00:00","infinity")`, "(,)"}},
	{name: "tstzrange", values: []string{`["2024-01-01 00:00:00+00","2024-06-01 00:00:00+05:30")`, "empty"}},
	{name: "daterange", values: []string{"[2024-01-01,2024-02-01)", "(,infinity)"}},
	{name: "int4multirange", values: []string{"{}", "{[1,3),[5,7)}"}},
	{name: "nummultirange", values: []string{"{}", "{[1.0,3.00),[5,)}"}},
	{name: "tstzmultirange", values: []string{`{["2024-01-01 00:00:00+00","2024-06-01 00:00:00+00")}`}},
	{name: "public.citext", values: []string{"", "Aa", "É"}},
	{name: "public.hstore", values: []string{"", `"a"=>"1", "b"=>NULL`, `"x y"=>"q\"\\", ""=>""`}},
	{name: "public.ltree", values: []string{"", "a.b.c", "top"}},
	{name: "public.lquery", values: []string{"a.*{1,2}.b|c@"}},
	{name: "public.cube", values: []string{"(1, 2, 3)", "(0.1),(2)"}},
	{name: "public.seg", values: []string{"1 .. 2", "~5.0", "<1.5"}},
	{name: "mood", values: []string{"sad", `it's "ok"`, `a,b\c`, ""}},
	{name: `"Odd ""type"".x"`, values: []string{"x", "Y z"}},
	{name: "pair", values: []string{"(1,a)", "(,)", `(,"")`, `(2,"b "",\\")`}},
	{name: "nest", values: []string{"(,,,)", `("(1,x)",sad,"{""(1,a)"",NULL,""(,)""}",2024-01-01)`}},
	{name: "posint", values: []string{"1", "2147483647"}},
	{name: "short", values: []string{"", "yes"}},
	{name: "ints", values: []string{"{}", "{1,NULL,3}", "[5:6]={1,2}", "{{1,2},{3,4}}"}},
	{name: "dpair", values: []string{"(1,a)", "(,)"}},
	{name: "boxes", values: []string{"{}", "{(1,2),(0,0);(3,4),(1,1)}"}},
	{name: "floatrange", values: []string{"[0.1,0.30000000000000004)", "empty"}},
	{name: "textrange", values: []string{`["a,b","c)")`, `["",)`}},
	{name: "int4[]", values: []string{"{}", "{1,NULL}", "[0:1]={1,2}", "{{{1}},{{2}}}", "[-1:0][3:4]={{1,2},{3,4}}"}},
	{name: "text[]", values: []string{"{}", `{"",NULL,"NULL","a,b","q\"\\","{}"," "}`}},
	{name: "box[]", values: []string{"{(1,2),(0,0);(3,4),(1,1)}"}},
	{name: "bytea[]", values: []string{`{"\\x00","\\xff",NULL}`}},
	{name: "pair[]", values: []string{`{"(1,\"a b\")",NULL,"(,)"}`}},
	{name: "json[]", values: []string{`{"{\"a\": \"b\\\\\"}"}`}},
	{name: "interval[]", values: []string{`{"1 day","-1 mons +2 days"}`}},
	{name: "float8[]", values: []string{"{NaN,-0,0.1}"}},
	{name: "timestamptz[]", values: []string{`{"2024-01-01 00:00:00+00",infinity}`}},
}

// TestTypes brings every type through the copy, single rows, arrays and COPY, with a
// key, without one, and as the key, under settings that change what text looks like.
func TestTypes(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	testTypes(t, w, types)
}

func testTypes(t *testing.T, w *world, types []typed) {
	w.hostile()
	for _, name := range extensions {
		w.onMaster("create extension " + name + " schema public")
	}
	w.onMaster(`create schema types; set search_path = types;
		create table src (x int); create table "Reg ""class""" (x int); create function func(int, text) returns int language sql as 'select 1'; ` + ownTypes)

	// k has a key, n has none, p has the type as its key.
	keyed := map[int]bool{}
	each := func(format string) string {
		var all strings.Builder
		for i, ty := range types {
			all.WriteString(strings.NewReplacer("#k", fmt.Sprintf("k%d", i), "#n", fmt.Sprintf("n%d", i), "#T", ty.name, "#c", fmt.Sprint(len(ty.values))).Replace(format) + ";\n")
		}
		return "set search_path = types; " + all.String()
	}
	eachKey := func(format string) string {
		var all strings.Builder
		for i, ty := range types {
			if keyed[i] {
				all.WriteString(strings.NewReplacer("#k", fmt.Sprintf("k%d", i), "#p", fmt.Sprintf("p%d", i), "#T", ty.name, "#c", fmt.Sprint(len(ty.values))).Replace(format) + ";\n")
			}
		}
		return "set search_path = types; " + all.String()
	}
	const plainText = "set search_path = types; set datestyle = 'ISO, YMD'; set intervalstyle = postgres; set lc_monetary = 'C'; set timezone = 'UTC'; set xmloption = content; "
	conn, err := pgx.Connect(t.Context(), w.master.URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	run := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", abbreviate(sql), err)
		}
	}
	for i, ty := range types {
		array := ty.name + "[]"
		if strings.HasSuffix(ty.name, "[]") {
			array = ty.name
		}
		var values strings.Builder
		for n, v := range ty.values {
			fmt.Fprintf(&values, "insert into k%d (id, v) values (%d, cast(E'%s' as %s));", i, n+1, strings.NewReplacer(`'`, `\'`, `\`, `\\`).Replace(v), ty.name)
		}
		null := fmt.Sprintf("insert into k%d values (%d);", i, len(ty.values)+1)
		if ty.name == "short" {
			null = ""
		}
		run(plainText + fmt.Sprintf(`create table k%d (id int primary key, v %s, a %s); %s`, i, ty.name, array, values.String()))
		if array != ty.name {
			run(fmt.Sprintf(`set search_path = types;
				update k%d set a = case id %% 4 when 0 then '{}' when 1 then array[v] when 2 then array[array[v, v], array[v, v]] else ('[-1:1]=' || (array[v, v, v])::text)::%s end`, i, array))
		}
		run(plainText + null + fmt.Sprintf(`create table n%d as select v, a from k%[1]d; insert into n%[1]d select * from n%[1]d`, i))
		_, err := conn.Exec(t.Context(), fmt.Sprintf(`set search_path = types; create table p%d (v %s, n int, x text, primary key (v, n)); insert into p%[1]d select v, n, 'x' from k%[1]d, generate_series(1, 20) n where id <= %[3]d on conflict do nothing`, i, ty.name, len(ty.values)), pgx.QueryExecModeSimpleProtocol)
		if keyed[i] = err == nil; err != nil {
			// There are types without an order, and values that are too long for an index.
			if pg := new(pgconn.PgError); !errors.As(err, &pg) || !slices.Contains([]string{"42704", "42883", "54000"}, pg.Code) {
				t.Fatalf("key of type %s: %v", ty.name, err)
			}
		}
	}
	w.init()
	w.run(pgbridge.Role{Tap: true})
	replica := w.run(pgbridge.Role{Replica: "r1"})
	w.wait()
	w.same()

	change := func(round int) {
		base := round * 100000
		for _, step := range []string{
			each(fmt.Sprintf("insert into #k select %d, v, a from #k where id = 1", base)),
			each(fmt.Sprintf("insert into #k select %d + id + 100 * g, v, a from #k, generate_series(1, 4) g where id <= #c", base)),
			each(fmt.Sprintf("insert into #k select %d + id + 100 * g, v, a from #k, generate_series(10, 250) g where id <= #c limit 230", base)),
			each(`insert into #n select v, a from #n limit 30`),
			each(`insert into #n select x.v, x.a from #n x, #n y limit 210`),
			each(`update #k k set v = o.v, a = o.a from #k o where k.id in (1, 2) and o.id = k.id % #c + 1`),
			each(fmt.Sprintf(`update #k k set v = o.v, a = o.a from #k o where k.id > %d and o.id = k.id %% #c + 1`, base)),
			each(`update #k set a = null where id % 7 = 0 and id > #c`),
			each(`update #n n set v = o.v, a = o.a from (select v, a from #n limit 1) o where n.ctid = any (array(select ctid from #n limit 12))`),
			each(`delete from #n where ctid = any (array(select ctid from #n offset 20 limit 12))`),
			each(`delete from #k where id = 1 + 100 * 11`) + each(`delete from #k where id > 100 and id % 5 = 0`),
			eachKey(fmt.Sprintf(`update #p set x = 'y%d' where n = 1`, round)) + eachKey(fmt.Sprintf(`update #p set x = 'z%d' where n > 3`, round)),
			eachKey(`delete from #p where n in (5, 6, 7)`),
			eachKey(`update #p set n = -n where n = 2`) + eachKey(`update #p set n = -n where n = -2`) + eachKey(`delete from #p where n = 11`),
			eachKey(`insert into #p select v, 11, 'again' from #p where n = 12`) + eachKey(`insert into #p select v, g, 'many' from #p p, generate_series(1000, 1040) g where p.n = 12`),
			eachKey(`delete from #p where n >= 1000`) + eachKey(`insert into #p select v, g, 'back' from #p p, generate_series(5, 7) g where p.n = 12`),
		} {
			w.onMaster(step)
		}
	}
	fellBack := w.logged(inOrder)
	change(1)
	w.wait()
	w.same()
	replica.stop()
	change(2)
	w.run(pgbridge.Role{Replica: "r1"})
	w.wait()
	w.same()
	if n := w.logged(inOrder); n != fellBack {
		t.Error("a window was applied in order")
	}
}

// hostile sets, on both sides, what may not matter: settings that change the text form
// of values for everybody, and those that would cut the bridge's own work short.
func (w *world) hostile() {
	servers := append(w.replicas[:len(w.replicas):len(w.replicas)], w.master)
	for i, server := range servers {
		onReplica := i < len(w.replicas)
		w.exec(server.URL("postgres"), `
			create role bridge superuser replication login;
			alter database app set datestyle = 'German, DMY'; alter database app set intervalstyle = 'sql_standard'; alter database app set timezone = 'Asia/Kolkata';
			alter database app set extra_float_digits = -3; alter database app set bytea_output = 'escape'; alter database app set standard_conforming_strings = off;
			alter database app set search_path = 'nowhere'; alter database app set quote_all_identifiers = on; alter database app set xmloption = 'document'; alter database app set escape_string_warning = off;
			alter role bridge set statement_timeout = '1ms'; alter role bridge set lock_timeout = '1ms'; alter role bridge set idle_in_transaction_session_timeout = '1ms'; alter role bridge set idle_session_timeout = '500ms';
			alter role bridge set default_transaction_read_only = on; alter role bridge set default_transaction_isolation = 'serializable'; alter role bridge set default_transaction_deferrable = on; alter role bridge set client_encoding = 'LATIN1';
			alter role bridge set row_security = off; alter role bridge set enable_indexscan = off; alter role bridge set session_replication_role = 'replica'; alter role bridge set synchronous_commit = 'off'; alter role bridge set transform_null_equals = on`)
		if onReplica {
			w.exec(server.URL("postgres"), `alter database app set array_nulls = off; alter role bridge set session_replication_role = 'local'`)
		}
	}
	as := func(u config.URL) config.URL {
		parsed, err := url.Parse(string(u))
		if err != nil {
			w.t.Fatal(err)
		}
		parsed.User = url.User("bridge")
		return config.URL(parsed.String())
	}
	w.config.Master.URL = as(w.config.Master.URL)
	for i := range w.config.Replicas {
		w.config.Replicas[i].URL = as(w.config.Replicas[i].URL)
	}
}

// What a writer's session makes of text does not matter to a replica.
func TestWritersSettings(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table t (id int generated always as identity primary key, d date, ts timestamptz, i interval, f float8, b bytea, m money, s text); create table n (d date, ts timestamptz, i interval, f float8, b bytea, m money, s text)`)
	w.init()
	w.run()
	w.wait()
	for _, settings := range []string{
		"set datestyle = 'German'; set intervalstyle = 'sql_standard'; set timezone = 'America/St_Johns'; set extra_float_digits = -15; set bytea_output = 'escape'",
		"set datestyle = 'SQL, DMY'; set intervalstyle = 'iso_8601'; set timezone = 'Asia/Kolkata'; set extra_float_digits = 0; set standard_conforming_strings = off",
		"set datestyle = 'Postgres, MDY'; set intervalstyle = 'postgres_verbose'; set client_encoding = 'LATIN1'; set search_path = pg_catalog, public; set session_replication_role = replica",
	} {
		const row = "make_date(2024, 3, 4), make_timestamptz(2024, 3, 4, 5, 6, 7.5, 'UTC'), make_interval(1, 2, 0, -3, 4), 0.1 + 0.2, decode('5c00ff27', 'hex'), 12.5::numeric::money, chr(233) || E'\\\\\\n'''"
		for _, table := range []string{"t (d, ts, i, f, b, m, s)", "n"} {
			w.onMaster(settings + "; insert into public." + table + " select " + row + " from generate_series(1, 3)")
			w.onMaster(settings + "; insert into public." + table + " select " + row + " from generate_series(1, 300)")
		}
		w.onMaster(settings + "; update public.t set s = s || ts::text where id % 3 = 0; update public.n set s = ts::text || i::text || d::text where ctid = any (array(select ctid from public.n limit 20))")
		w.onMaster(settings + "; delete from public.t where id % 5 = 0; delete from public.n where ctid = any (array(select ctid from public.n offset 15 limit 10))")
	}
	w.wait()
	w.same()
}
