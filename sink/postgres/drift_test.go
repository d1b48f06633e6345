package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// The signature has to change with all that schema.Read reads, and should not with what happens all
// the time.
func TestCatalogSignature(t *testing.T) {
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, pgtest.DB(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	do := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	signature := func() string {
		t.Helper()
		s, err := catalogSignature(ctx, conn)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	do(`
		create schema bridge;
		create table bridge.log (seq int primary key) partition by range (seq);
		create type mood as enum ('sad', 'ok');
		create type pair as (a int, b text);
		create domain dom as text;
		create table t (id serial primary key, v text, n int, m mood, constraint positive check (n > 0));
		create table parted (id int primary key) partition by range (id);
		create table part partition of parted for values from (0) to (10);
		create table child () inherits (t);
		create function touch() returns trigger language plpgsql as 'begin return new; end';
		create function f(int) returns int language sql immutable return $1;
		create function less(pair, pair) returns boolean language sql immutable return true;
		create trigger g before update on t for each row execute function touch();
		create rule r as on delete to t do also nothing;
		create policy p on t using (true);
		create index i on t (v);
		create view w as select id from t;
		create materialized view mat as select id from t;
		create statistics s on v, n from t;
		create text search configuration words (copy = simple);
		insert into t (v, n) select 'a', i from generate_series(1, 100) i`)
	last := signature()
	for _, sql := range []string{
		`insert into t (v, n) values ('a', 1)`, `update t set v = 'b'`, `delete from t where id < 5`, `truncate t restart identity`, `analyze`, `vacuum t`, `reindex table t`,
		`select nextval('t_id_seq'), setval('t_id_seq', 100)`, `refresh materialized view mat`,
		`create temp table temporary (id serial primary key, v text default 'x' check (v > 'a'))`,
		`create temp view of_temporary as select * from temporary`, `drop table temporary cascade`,
		`create table bridge.log_1 partition of bridge.log for values from (0) to (10)`, `drop table bridge.log_1`,
		`create role signer; drop role signer`,
	} {
		do(sql)
		if now := signature(); now != last {
			t.Errorf("%s: the signature has changed", sql)
			last = now
		}
	}
	for _, sql := range []string{
		`create schema more`, `alter schema more rename to other`, `drop schema other`,
		`create table u (a int)`, `alter table u rename to x`, `alter table x set unlogged`, `alter table x set (fillfactor = 50)`, `alter table x enable row level security`,
		`alter table x replica identity full`, `drop table x`,
		`alter table t add o int`, `alter table t alter o type bigint`, `alter table t alter o set not null`, `alter table t alter o set default 1`, `alter table t alter o set default 2`,
		`alter table t alter v set storage external`, `alter table t alter v set statistics 10`, `alter table t rename o to q`, `alter table t drop q`,
		`alter table t drop constraint positive`, `alter table t add constraint positive check (n > 1) not valid`, `alter table t rename constraint positive to negative`,
		`drop index i`, `create unique index i on t (v, id)`, `alter table t cluster on i`, `alter index i rename to j`, `alter table t drop constraint t_pkey`,
		`alter table t disable trigger g`, `alter table t enable always trigger g`, `drop trigger g on t`, `drop rule r on t`, `create rule r as on delete to t do instead nothing`,
		`drop policy p on t`, `create policy p on t using (id > 1)`, `alter policy p on t using (id > 2)`,
		`create or replace view w as select id, v from t`, `drop view w`, `drop materialized view mat`,
		`drop statistics s`, `create statistics s on v, id from t`, `alter statistics s set statistics 5`,
		`alter table parted detach partition part`, `alter table parted attach partition part for values from (0) to (20)`, `alter table child no inherit t`,
		`alter type mood add value 'new'`, `alter type mood rename value 'new' to 'old'`, `alter type pair add attribute c int`, `alter domain dom set not null`, `alter domain dom add check (value > '')`,
		`create or replace function f(int) returns int language sql immutable return $1 + 1`, `alter function f(int) volatile`, `drop function f(int)`,
		`create operator <<< (leftarg = pair, rightarg = pair, function = less)`, `create operator family fam using btree`, `create cast (pair as text) with inout`,
		`alter operator family fam using btree add operator 1 <<< (pair, pair)`,
		`create collation coll from "C"`, `alter collation coll rename to coll2`,
		`alter sequence t_id_seq increment by 2`, `alter sequence t_id_seq owned by none`,
		`alter text search configuration words drop mapping for word`, `create text search dictionary dict (template = simple)`, `alter text search dictionary dict (stopwords = 'english')`,
		`comment on table t is 'a'`, `comment on column t.v is 'b'`, `comment on table t is null`, `comment on schema public is 'c'`,
	} {
		do(sql)
		now := signature()
		if now == last {
			t.Errorf("%s: the signature is the same", sql)
		}
		last = now
	}
}
