package master

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ddlCases are commands after init. Update and delete on the table have to work afterwards.
var ddlCases = []struct {
	name   string
	before string // runs before init
	after  string
	table  string // empty: t
	want   string // state of the table
}{
	{name: "create with a key", after: `create table t (id int primary key, v text)`, want: "published d"},
	{name: "create without a key", after: `create table t (id int, v text)`, want: "published f"},
	{name: "create with a deferrable key", after: `create table t (id int primary key deferrable, v text)`, want: "published f"},
	{name: "create as", after: `create table t as select 1 as id, 'x'::text as v`, want: "published f"},
	{name: "create as without data", after: `create table t as select 1 as id, 'x'::text as v with no data`, want: "published f"},
	{name: "select into", after: `select 1 as id, 'x'::text as v into t`, want: "published f"},
	{name: "create like", before: `create table l (id int primary key, v text)`, after: `create table t (like l)`, want: "published f"},
	{name: "create child", before: `create table l (id int primary key, v text)`, after: `create table t () inherits (l)`, want: "published f"},
	{name: "create unlogged", after: `create unlogged table t (id int, v text)`, want: "unknown"},
	{name: "create temporary", after: `create temporary table t (id int, v text)`, want: "unknown"},
	{name: "create if not exists, existing", before: `create table t (id int, v text)`, after: `create table if not exists t (id int, v text)`, want: "published f"},
	{name: "create in a transaction with rows", after: `begin; create table t (id int, v text); insert into t values (7, ''); update t set v = 'x'; commit`, want: "published f"},
	{name: "create in a do block", after: `do $$ begin create table t (id int, v text); execute 'alter table t add w int'; update t set v = ''; end $$`, want: "published f"},
	{name: "create in a function", before: `create function f() returns void language sql as 'create table t (id int, v text)'`, after: `select f()`, want: "published f"},
	{name: "create in a new schema", after: `create schema s1# create table t (id int, v text) create table u (id int primary key)`, table: "s1#.t", want: "published f"},
	{name: "create quoted", after: `create schema "a.b ""c#"""; create table "a.b ""c#"""."T .1" (id int, v text)`, table: `"a.b ""c#"""."T .1"`, want: "published f"},
	{name: "create rolled back to a savepoint", after: `begin; savepoint s; create table t (id int); rollback to s; create table t (id int, v text); commit`, want: "published f"},
	{name: "create excluded", after: `create table secret_1 (id int, v text)`, table: "secret_1", want: "left out d BROKEN"},

	{name: "drop the key", before: `create table t (id int primary key, v text)`, after: `alter table t drop constraint t_pkey`, want: "published f"},
	{name: "drop the key's column", before: `create table t (id int, k int primary key, v text)`, after: `alter table t drop column k`, want: "published f"},
	{name: "drop the key's type", before: `create type e as enum ('a', 'b'); create table t (id int, k e primary key, v text)`, after: `drop type e cascade`, want: "published f"},
	{name: "drop the key and add another", before: `create table t (id int primary key, v text)`, after: `alter table t drop constraint t_pkey, add primary key (id, v)`, want: "published d"},
	{name: "replace the key by a deferrable one", before: `create table t (id int primary key, v text)`, after: `alter table t drop constraint t_pkey, add primary key (id) deferrable`, want: "published f"},
	{name: "drop the key, change, add it", before: `create table t (id int primary key, v text)`, after: `begin; alter table t drop constraint t_pkey; update t set v = 'y'; alter table t add primary key (id); commit`, want: "published d"},
	{name: "drop the key, rolled back", before: `create table t (id int primary key, v text)`, after: `begin; alter table t drop constraint t_pkey; rollback`, want: "published d"},
	{name: "drop the key in a function", before: `create table t (id int primary key, v text); create function f() returns void language plpgsql as $$ begin alter table t drop constraint t_pkey; update t set v = ''; end $$`, after: `select f()`, want: "published f"},
	{name: "add a key", before: `create table t (id int, v text)`, after: `alter table t add primary key (id)`, want: "published d"},
	{name: "add a key from an index", before: `create table t (id int not null, v text); create unique index i on t (id)`, after: `alter table t add primary key using index i`, want: "published d"},
	{name: "change the key's type", before: `create table t (id int primary key, v text)`, after: `alter table t alter id type bigint`, want: "published d"},

	{name: "identity nothing", before: `create table t (id int primary key, v text)`, after: `alter table t replica identity nothing`, want: "published f"},
	{name: "identity default without a key", before: `create table t (id int, v text)`, after: `alter table t replica identity default`, want: "published f"},
	{name: "identity full by hand", before: `create table t (id int primary key, v text)`, after: `alter table t replica identity full`, want: "published f"},
	{name: "identity an index", before: `create table t (id int not null unique, v text)`, after: `alter table t replica identity using index t_id_key`, want: "published i"},
	{name: "drop the identity's index", before: `create table t (id int not null, v text); create unique index i on t (id); alter table t replica identity using index i`, after: `drop index i`, want: "published f"},
	{name: "drop the identity's index, chosen after init", before: `create table t (id int not null, v text); create unique index i on t (id)`, after: `alter table t replica identity using index i; drop index i`, want: "published f"},
	{name: "drop the identity's index, renamed", before: `create table t (id int not null, v text); create unique index i on t (id); alter table t replica identity using index i`, after: `alter index i rename to j; drop index j`, want: "published f"},
	{name: "drop the identity's constraint", before: `create table t (id int not null unique, v text); alter table t replica identity using index t_id_key`, after: `alter table t drop constraint t_id_key`, want: "published f"},
	{name: "drop the identity's index, make it again", before: `create table t (id int not null, v text); create unique index i on t (id); alter table t replica identity using index i`, after: `drop index i; create unique index i on t (id); alter table t set (fillfactor = 90)`, want: "published f"},

	{name: "logged at last", before: `create unlogged table t (id int, v text); insert into t values (5, '')`, after: `alter table t set logged`, want: "published f"},
	{name: "unlogged", before: `create table t (id int, v text)`, after: `alter table t set unlogged`, want: "unknown"},
	{name: "unlogged, spelled oddly", before: `create table "T" (id int, v text)`, after: "alter\n table  if exists only c# . \"T\" set (fillfactor = 90),\n\tset  UNLOGGED", table: `"T"`, want: "unknown"},
	{name: "unlogged in a do block", before: `create table t (id int, v text)`, after: `do $$ begin execute 'alter table ' || 't' || ' set ' || 'unlogged'; end $$`, want: "unknown"},
	{name: "unlogged in a function", before: `create table t (id int, v text); create function f() returns void language plpgsql as $$ begin alter table t set unlogged; end $$`, after: `select f()`, want: "unknown"},
	{name: "unlogged and back", before: `create table t (id int primary key, v text)`, after: `alter table t set unlogged; alter table t set logged`, want: "published d"},
	{name: "unlogged, another's name in the same text", before: `create table t (id int, v text); create table u (id int, v text)`, after: `alter table t add w int; alter table u set unlogged`, want: "published f"},

	{name: "partition of", before: `create table r (id int, v text) partition by range (id)`, after: `create table t partition of r for values from (0) to (100)`, want: "published f"},
	{name: "partition of, with a key", before: `create table r (id int primary key, v text) partition by range (id)`, after: `create table t partition of r for values from (0) to (100)`, want: "published d"},
	{name: "attach", before: `create table r (id int primary key, v text) partition by range (id); create table t (id int not null, v text)`, after: `alter table r attach partition t for values from (0) to (100)`, want: "published d"},
	{name: "detach", before: `create table r (id int primary key, v text) partition by range (id); create table t partition of r for values from (0) to (100)`, after: `alter table r detach partition t`, want: "published d"},
	{name: "detach concurrently", before: `create table r (id int primary key, v text) partition by range (id); create table t partition of r for values from (0) to (100)`, after: `alter table r detach partition t concurrently`, want: "published d"},
	{name: "drop the key of the root", before: `create table r (id int primary key, v text) partition by range (id); create table t partition of r for values from (0) to (100)`, after: `alter table r drop constraint r_pkey`, want: "published f"},
	{name: "add a key to the root", before: `create table r (id int, v text) partition by range (id); create table t partition of r for values from (0) to (100)`, after: `alter table r add primary key (id)`, want: "published d"},
	{name: "drop the key's column of the parent", before: `create table p (id int, k int, v text); create table t (primary key (k)) inherits (p)`, after: `alter table p drop column k`, want: "published f"},
	{name: "partitioned in two levels", before: `create table r (id int, v text) partition by range (id)`, after: `create table m partition of r for values from (0) to (100) partition by list (id); create table t partition of m default`, want: "published f"},

	{name: "rename into the patterns", before: `create table secret_2 (id int, v text)`, after: `alter table secret_2 rename to t`, want: "published f"},
	{name: "rename out of the patterns", before: `create table t (id int, v text)`, after: `alter table t rename to secret_3`, table: "secret_3", want: "left out d BROKEN"},
	{name: "schema into the patterns", before: `create schema hidden#; create table hidden#.t (id int, v text)`, after: `alter table hidden#.t set schema c#`, want: "published f"},
	{name: "schema out of the patterns", before: `create schema hidden#; create table t (id int, v text)`, after: `alter table t set schema hidden#`, table: "hidden#.t", want: "left out d BROKEN"},
	{name: "schema renamed into the patterns", before: `create schema hidden#; create table hidden#.t (id int, v text)`, after: `alter schema hidden# rename to shown#`, table: "shown#.t", want: "published f"},
	{name: "schema renamed out of the patterns", before: `create schema shown#; create table shown#.t (id int, v text)`, after: `alter schema shown# rename to hidden#`, table: "hidden#.t", want: "left out d BROKEN"},

	{name: "drop and create", before: `create table t (id int, v text)`, after: `drop table t; create table t (id int primary key, v text)`, want: "published d"},
	{name: "reindex concurrently, then drop", before: `create table t (id int not null, v text); create unique index i on t (id); alter table t replica identity using index i`, after: `reindex index concurrently i; drop index i`, want: "published f"},
	{name: "drop the identity's index concurrently", before: `create table t (id int not null, v text); create unique index i on t (id); alter table t replica identity using index i`, after: `drop index concurrently i`, want: "published f"},
	{name: "drop and create all in a schema", before: `create schema s#; create table s#.t (id int, v text)`, after: `drop schema s# cascade; create schema s#; create table s#.t (id int, v text)`, table: "s#.t", want: "published f"},
	{name: "with the session's replication role replica", after: `set session_replication_role = replica; create table t (id int, v text)`, want: "published f"},
	{name: "with a hostile search_path", after: `
		create schema evil#;
		create function evil#.concat(text, text, text) returns text language plpgsql as $$ begin raise 'evil#'; end $$;
		create function evil#.eq(text, text) returns boolean language plpgsql as $$ begin raise 'evil#'; end $$;
		create operator evil#.= (leftarg = text, rightarg = text, function = evil#.eq);
		create temporary table pg_class (oid oid, relname text, relkind "char");
		create temporary table setting (one int);
		create function evil#.check(t text) returns boolean language plpgsql as $$ begin raise 'evil'; end $$;
		create domain evil#.text as pg_catalog.text check (evil#.check(value));
		create domain evil#.name as pg_catalog.name check (evil#.check(value::pg_catalog.text));
		create type pg_temp.oid as (x int);
		set search_path = evil#, pg_temp, pg_catalog, c#;
		create table c#.t (id int, v pg_catalog.text);
		alter table c#.t add w int;
		alter table c#.t set unlogged;
		alter table c#.t set logged`, table: "c#.t", want: "published f"},
}

// TestDDL runs each case in a schema and a session of its own, as a superuser and as an ordinary role that
// owns what it makes; # in a case stands for its number.
func TestDDL(t *testing.T) {
	on(t, func(t *testing.T, m *machine) {
		m.role("app")
		m.options.Exclude = []string{"*.secret_*", "hidden*.*"}
		m.do(`do $$ begin execute format('grant create on database %I to app', current_database()); end $$`)
		roles := []string{"", "app"}
		for n, role := range roles {
			conn := m.connect(role)
			for i := range ddlCases {
				doOn(t, conn, strings.ReplaceAll(`create schema c#; set search_path = c#; `+ddlCases[i].before, "#", strconv.Itoa(2*i+n)))
			}
		}
		m.init()
		for i := range len(ddlCases) * len(roles) {
			tt, role, number := ddlCases[i/2], roles[i%2], strconv.Itoa(i)
			t.Run(strings.TrimSuffix(tt.name+" as "+role, " as "), func(t *testing.T) {
				if role != "" && strings.Contains(tt.after, "session_replication_role") {
					t.Skip("needs a superuser")
				}
				m := &machine{TB: t, Conn: m.Conn, url: m.url}
				conn, warnings := m.listen(role)
				doOn(t, conn, "set search_path = c"+number)
				for statement := range statements(strings.ReplaceAll(tt.after, "#", number)) {
					doOn(t, conn, statement)
				}
				table := strings.ReplaceAll(cmp.Or(tt.table, "t"), "#", number)
				for _, work := range []string{`insert into %s (id, v) values (1, 'a')`, `insert into %s (id, v) values (2, 'b')`,
					`update %s set v = 'c' where id = 1`, `delete from %s where id = 1`, `update %s set id = 3`, `truncate %s`} {
					doOn(t, conn, fmt.Sprintf(work, table))
				}
				if !strings.Contains(table, ".") {
					table = "c" + number + "." + table
				}
				m.wantState(table, tt.want)
				if got := warnings(); got != "" {
					t.Errorf("warnings: %s", got)
				}
			})
		}
		m.drop()
	})
}

// statements cuts at semicolons where a command can not run in a transaction.
func statements(text string) func(func(string) bool) {
	if !strings.Contains(text, "concurrently") {
		return func(yield func(string) bool) { yield(text) }
	}
	return strings.SplitSeq(text, ";")
}

// role makes a role that may log in, once for the server.
func (m *machine) role(name string) {
	m.Helper()
	m.do(`do $$ begin create role ` + name + ` login; exception when duplicate_object then null; end $$`)
}

// listen opens a session and returns what it was warned of so far.
func (m *machine) listen(role string) (*pgx.Conn, func() string) {
	m.Helper()
	config, err := pgx.ParseConfig(m.url)
	if err != nil {
		m.Fatal(err)
	}
	if role != "" {
		config.User = role
	}
	var mu sync.Mutex
	var list []string
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		mu.Lock()
		defer mu.Unlock()
		if n.Severity == "WARNING" {
			list = append(list, n.Message+" "+n.Where)
		}
	}
	conn, err := pgx.ConnectConfig(m.Context(), config)
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { conn.Close(context.Background()) })
	return conn, func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(list, "\n")
	}
}
