-- nothing changes
create table t (a int primary key, b text default 'x' check (b <> ''));
create view v as select a from t;
-- change
select 1;
----

-- a new table with everything
create schema s;
-- change
create type s.mood as enum ('a', 'b');
create table s.t (id serial primary key, m s.mood default 'a', n int generated always as identity, check (n > 0));
create index on s.t (m);
create view s.v as select m from s.t;
comment on table s.t is 'hi';
comment on column s.t.m is 'mood';
----
create type s.mood as enum ('a', 'b');
create sequence s.t_id_seq as integer start with 1 increment by 1 minvalue 1 maxvalue 2147483647 cache 1;
create table s.t (
	id integer default nextval('s.t_id_seq'::regclass) not null,
	m s.mood default 'a'::s.mood,
	n integer not null,
	constraint t_n_check CHECK ((n > 0))
);
alter table only s.t alter column n add generated always as identity (sequence name s.t_n_seq start with 1 increment by 1 minvalue 1 maxvalue 2147483647 cache 1);
alter sequence s.t_id_seq owned by s.t.id;
create view s.v as
SELECT t.m
   FROM s.t;
alter table only s.t add constraint t_pkey PRIMARY KEY (id);
CREATE INDEX t_m_idx ON s.t USING btree (m);
comment on column s.t.m is 'mood';
comment on table s.t is 'hi';

-- a table is dropped with all that belongs to it
create table t (id serial primary key, a text default 'x' unique, check (a <> 'y'));
create table u (t int references t);
create index on t (lower(a));
comment on column t.a is 'a';
insert into t (a) values ('1'); insert into u values (1);
-- change
drop table u, t;
----
drop table public.u;
drop table public.t;

-- a table is renamed
create table t (id serial primary key, a text default 'x' unique, check (a <> 'y'));
create index i on t (lower(a)) where a <> 'z';
create table u (t int references t);
create view v as select * from t;
comment on table t is 'hi';
insert into t (a) values ('1'), ('2'); insert into u values (1);
-- change
alter table t rename to t2;
----
alter table public.t rename to t2;

-- a table is moved to another schema
create schema s;
create table t (id serial primary key, a text default 'x' unique, check (a <> 'y'));
create index i on t (lower(a)) where a <> 'z';
create table u (t int references t);
create view v as select * from t;
comment on table t is 'hi';
comment on column t.a is 'a';
insert into t (a) values ('1'), ('2'); insert into u values (1);
-- change
alter table t set schema s;
----
alter table public.t set schema s;

-- a table is moved to a new schema and renamed
create table t (id serial primary key, a text);
-- change
create schema s;
alter table t set schema s;
alter table s.t rename to u;
----
create schema s;
alter table public.t set schema s;
alter table s.t rename to u;

-- two tables change names
create table t (a int primary key);
create table u (b text primary key);
insert into t values (1); insert into u values ('x');
-- change
alter table t rename to x;
alter table u rename to t;
alter table x rename to u;
----
alter table public.t rename to bridge_1;
alter table public.u rename to t;
alter table public.bridge_1 rename to u;

-- three tables change names in a circle
create table t (a int);
create table u (b text);
create table w (c text);
insert into t values (1); insert into u values ('x');
-- change
alter table t rename to x;
alter table u rename to t;
alter table w rename to u;
alter table x rename to w;
----
alter table public.t rename to bridge_1;
alter table public.u rename to t;
alter table public.w rename to u;
alter table public.bridge_1 rename to w;

-- a table is dropped and another takes its name
create table t (a int primary key, b text);
insert into t values (1, 'x');
-- change
drop table t;
create table t (a int primary key, c text);
----
drop table public.t;
create table public.t (
	a integer not null,
	c text
);
alter table only public.t add constraint t_pkey PRIMARY KEY (a);

-- a table is dropped and another is renamed to its name
create table t (a int primary key, b text);
create table u (a int primary key, b text);
insert into t values (1, 'x'); insert into u values (2, 'y');
-- change
drop table t;
alter table u rename to t;
----
drop table public.t;
alter table public.u rename to t;

-- a schema is renamed
create schema s;
create type s.mood as enum ('a', 'b');
create function s.f(int) returns int language sql immutable as 'select $1';
create table s.t (id serial primary key, m s.mood default 'a', check (s.f(id) > 0));
create index on s.t (s.f(id));
create view s.v as select m, s.f(id) from s.t;
comment on schema s is 'x';
insert into s.t values (1, 'a');
-- change
alter schema s rename to s2;
----
alter schema s rename to s2;

-- two schemas change names
create schema a; create table a.t (x int);
create schema b; create table b.t (y int);
insert into a.t values (1); insert into b.t values (2);
-- change
alter schema a rename to c; alter schema b rename to a; alter schema c rename to b;
----
alter schema a rename to bridge_1;
alter schema b rename to a;
alter schema bridge_1 rename to b;

-- the schema public is dropped and made again
create table t (id serial primary key, a text unique);
create type mood as enum ('a', 'b');
create function f(t) returns mood language sql as $$ select 'a'::public.mood $$;
create view v as select f(t) from t;
create materialized view mv as select * from v;
create table u (m mood, t int references t);
create function trg() returns trigger language plpgsql as 'begin return new; end';
create trigger tr before insert on t for each row execute function trg();
-- change
drop schema public cascade;
create schema public;
create table t (id serial primary key, a text unique);
create type mood as enum ('a', 'c');
create view v as select * from t;
create function f(v) returns mood language sql as $$ select 'a'::mood $$;
----
drop materialized view public.mv;
drop view public.v;
drop table public.u;
drop routine public.f(public.t);
drop table public.t;
drop routine public.trg();
drop type public.mood;
drop schema public;
create schema if not exists public;
create type public.mood as enum ('a', 'c');
create sequence public.t_id_seq as integer start with 1 increment by 1 minvalue 1 maxvalue 2147483647 cache 1;
create table public.t (
	id integer default nextval('public.t_id_seq'::regclass) not null,
	a text
);
alter sequence public.t_id_seq owned by public.t.id;
create view public.v as
SELECT t.id,
    t.a
   FROM public.t;
CREATE OR REPLACE FUNCTION public.f(public.v)
 RETURNS public.mood
 LANGUAGE sql
AS $function$ select 'a'::mood $function$;
alter table only public.t add constraint t_pkey PRIMARY KEY (id);
alter table only public.t add constraint t_a_key UNIQUE (a);
revoke all on schema public from postgres;
revoke all on schema public from public;
grant all on schema public to postgres;

-- storage parameters
create table t (a text) with (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_vacuum_threshold = 77);
-- change
alter table t set (fillfactor = 80, parallel_workers = 3), reset (autovacuum_enabled, toast.autovacuum_vacuum_threshold);
alter table t set (toast.autovacuum_enabled = false);
----
alter table only public.t set (fillfactor='80', parallel_workers='3', toast.autovacuum_enabled='false');
alter table only public.t reset (autovacuum_enabled, toast.autovacuum_vacuum_threshold);

-- logged and unlogged
create table t (a serial);
create unlogged table u (a serial);
insert into t values (1);
-- change
alter table t set unlogged;
alter table u set logged;
----
alter table public.t set unlogged;
alter table public.u set logged;

-- row security and replica identity
create table t (a int primary key);
create table u (a int primary key);
alter table u enable row level security, force row level security;
alter table u replica identity full;
create table w (a int not null unique);
-- change
alter table t enable row level security, force row level security, replica identity full;
alter table u no force row level security, replica identity default;
alter table w replica identity using index w_a_key;
----
alter table only public.u replica identity default;
alter table only public.w replica identity using index w_a_key;
alter table only public.t replica identity full;
alter table public.t enable row level security;
alter table only public.t force row level security;
alter table public.u no force row level security;

-- of a type
create type pair as (a int, b text);
create table t (a int, b text);
create table u of pair;
-- change
alter table t of pair;
alter table u not of;
alter table u add c int;
----
alter table public.t of public.pair;
alter table public.u not of;
alter table public.u add column c integer;

-- a typed table follows its type
create type pair as (a int, b text);
create table t of pair (a primary key, b default 'x');
insert into t values (1, 'x');
-- change
alter type pair add attribute c int cascade;
alter type pair drop attribute b cascade;
alter type pair rename attribute a to aa cascade;
----
alter type public.pair drop attribute b cascade;
alter type public.pair rename attribute a to aa cascade;
alter type public.pair add attribute c integer cascade;

-- an access method
create table t (a int);
-- change
alter table t rename a to b;
----
alter table public.t rename column a to b;

-- clustering
create table t (a int primary key, b int);
create index t_b on t (b);
create table u (a int primary key);
alter table u cluster on u_pkey;
create table w (a int primary key, b int unique);
alter table w cluster on w_pkey;
-- change
alter table t cluster on t_b;
alter table u set without cluster;
alter table w cluster on w_b_key;
----
plan: constraint w_pkey of public.w: can not become "PRIMARY KEY (a)"

-- a table is moved to where an index that has its index's name is renamed
create schema s;
create table t (a int);
create index i on t (a);
create table s.u (a int);
create index i on s.u (a);
insert into t values (1);
-- change
alter index s.i rename to j;
alter table t set schema s;
----
alter index s.i rename to j;
alter table public.t set schema s;

-- a table is moved to where an index that has its index's name is dropped, and one takes its place here
create schema s;
create table t (a int);
create index i on t (a);
create table s.u (a int, b int);
create index i on s.u (a);
create index j on s.u (b);
-- change
drop index s.i;
alter table t set schema s;
alter table s.u set schema public;
alter index public.j rename to i;
----
drop index s.i;
alter table public.t set schema s;
alter table s.u set schema public;
alter index public.j rename to i;

-- two tables change schemas, with keys, indexes and sequences of the same names
create schema s;
create table t (id serial primary key, a text unique, n int generated always as identity);
create index i on t (a, id);
create table s.t (id serial primary key, a text unique, n int generated always as identity, b int);
create index i on s.t (b);
insert into t (a) values ('x');
insert into s.t (a, b) values ('y', 1);
-- change
create schema tmp;
alter table t set schema tmp;
alter table s.t set schema public;
alter table tmp.t set schema s;
drop schema tmp;
----
alter table public.t rename to bridge_1;
alter sequence s.t_id_seq rename to bridge_2;
alter sequence s.t_n_seq rename to bridge_3;
alter index s.t_pkey rename to bridge_4;
alter index s.t_a_key rename to bridge_5;
alter index s.i rename to bridge_6;
alter table s.t set schema public;
alter table public.bridge_1 set schema s;
alter table s.bridge_1 rename to t;
alter sequence public.bridge_3 rename to t_n_seq;
alter index public.bridge_4 rename to t_pkey;
alter index public.bridge_5 rename to t_a_key;
alter index public.bridge_6 rename to i;
alter sequence public.bridge_2 rename to t_id_seq;

-- two tables change schemas and names, and their indexes change theirs
create schema s;
create table t (a int);
create index i on t (a);
create table s.u (b int);
create index j on s.u (b);
-- change
alter table t rename to x;
alter index i rename to x_i;
alter table x set schema s;
alter table s.u rename to t;
alter index s.j rename to i;
alter table s.t set schema public;
alter table s.x rename to u;
alter index s.x_i rename to j;
----
alter table public.t rename to bridge_1;
alter table s.u set schema public;
alter table public.u rename to t;
alter table public.bridge_1 set schema s;
alter table s.bridge_1 rename to u;
alter index s.i rename to j;
alter index public.j rename to i;

-- a table is moved to where a sequence has the name of its column's
create schema s;
create table t (id int generated always as identity, n serial);
create sequence s.t_id_seq;
create sequence s.t_n_seq;
create table s.t_pkey (a int);
alter table t add primary key (id);
-- change
alter sequence s.t_id_seq rename to seq;
drop sequence s.t_n_seq;
alter table s.t_pkey rename to u;
alter table t set schema s;
alter sequence s.t_id_seq rename to "ID";
----
drop sequence s.t_n_seq;
alter sequence s.t_id_seq rename to seq;
alter table s.t_pkey rename to u;
alter table public.t set schema s;
alter sequence s.t_id_seq rename to "ID";

-- a sequence goes from one table to another, which is moved
create schema s;
create sequence q;
create table t (a int);
create table u (b int);
alter sequence q owned by t.a;
-- change
alter sequence q owned by u.b;
alter table u set schema s;
----
alter sequence public.q owned by none;
alter sequence public.q set schema s;
alter table public.u set schema s;
do $bridge$ begin execute 'alter sequence s.q owner to ' || (select relowner::regrole from pg_class where oid = 's.u'::regclass); end $bridge$;
alter sequence s.q owned by s.u.b;
