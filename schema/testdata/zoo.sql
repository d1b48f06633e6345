-- One of each, as far as PostgreSQL 14 knows it.
create schema "Mixed Case";
create schema app;
comment on schema app is 'it''s the app';
create extension hstore with schema app;
create extension btree_gist with schema public;
create extension citext;
create extension pg_trgm;

-- Types.
create type app.mood as enum ('sad', 'ok', 'it''s fine', 'back\slash');
alter type app.mood add value 'new one' before 'ok';
comment on type app.mood is 'how one feels';
create type app.pair as (a integer, "B b" text collate "C", m app.mood[]);
comment on column app.pair."B b" is 'second';
create domain app.email as text collate "C" default 'nobody@example.com' not null
	constraint has_at check (value like '%@%') constraint "not Long" check (length(value) < 100);
alter domain app.email add constraint later check (value <> '') not valid;
comment on domain app.email is 'address';
comment on constraint has_at on domain app.email is 'must have one';
create domain app.emails as app.email[];
create function app.float_minus(a double precision, b double precision) returns double precision language sql immutable strict as 'select a - b';
create type app.floats as range (subtype = double precision, subtype_diff = app.float_minus, multirange_type_name = app.many_floats);
create type app.texts as range (subtype = text, collation = "C");
create collation app.plain (locale = 'C');
create collation app.icu_de (provider = icu, locale = 'de-u-co-phonebk');
create collation app.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
comment on collation app.loose is 'no case';

-- Sequences.
create sequence app.plain_seq;
create sequence app.odd_seq as smallint increment by -3 minvalue -300 maxvalue 9 start with 6 cache 5 cycle;
comment on sequence app.odd_seq is 'counts down';

-- Functions.
create function app.f(a integer, b text default 'x''y', variadic c integer[] default '{}') returns text language sql immutable parallel safe cost 7
	as $$ select a::text || b $$;
comment on function app.f(integer, text, integer[]) is 'adds';
create function app.f(a integer) returns setof integer language plpgsql stable rows 17 security definer set work_mem = '1MB'
	as $fn$ begin return query select generate_series(1, a); end; $fn$;
create function app.out_args(in a integer, out b integer, out c text) language sql as $$ select a, 'x'::text $$;
create function app.makes_table(a integer) returns table (x integer, y app.mood) language sql as $$ select 1, 'ok'::app.mood $$;
create procedure app.p(inout a integer, b text) language plpgsql as $$ begin a := a + 1; end $$;
comment on procedure app.p(integer, text) is 'does';
create function app.std(a integer) returns integer language sql begin atomic select a + 1; end;
create function app.touch() returns trigger language plpgsql as $$ begin return new; end $$;
create function app.is_positive(integer) returns boolean language sql immutable as 'select $1 > 0';
create function app.next_code() returns text language sql as $$ select 'c' || nextval('app.plain_seq') $$;
create aggregate app.mysum(integer) (sfunc = int4pl, stype = integer, initcond = '0', combinefunc = int4pl, parallel = safe);
create aggregate app.anything(*) (sfunc = int8inc, stype = bigint, initcond = '0');
create aggregate app.pct(double precision order by anyelement) (sfunc = ordered_set_transition, stype = internal, finalfunc = percentile_disc_final, finalfunc_extra);
create aggregate app.moving(integer) (sfunc = int4_avg_accum, stype = bigint[], finalfunc = int8_avg, initcond = '{0,0}',
	msfunc = int4_avg_accum, minvfunc = int4_avg_accum_inv, mstype = bigint[], mfinalfunc = int8_avg, minitcond = '{0,0}');
comment on aggregate app.mysum(integer) is 'sums';

-- Operators, classes, casts.
create function app.pair_lt(app.pair, app.pair) returns boolean language sql immutable as 'select ($1).a < ($2).a';
create function app.pair_gt(app.pair, app.pair) returns boolean language sql immutable as 'select ($1).a > ($2).a';
create function app.pair_eq(app.pair, app.pair) returns boolean language sql immutable as 'select ($1).a = ($2).a';
create function app.pair_le(app.pair, app.pair) returns boolean language sql immutable as 'select ($1).a <= ($2).a';
create function app.pair_ge(app.pair, app.pair) returns boolean language sql immutable as 'select ($1).a >= ($2).a';
create function app.pair_cmp(app.pair, app.pair) returns integer language sql immutable as 'select ($1).a - ($2).a';
create operator app.<# (leftarg = app.pair, rightarg = app.pair, function = app.pair_lt, commutator = operator(app.>#), negator = operator(app.>=#), restrict = scalarltsel, join = scalarltjoinsel);
create operator app.># (leftarg = app.pair, rightarg = app.pair, function = app.pair_gt, commutator = operator(app.<#), negator = operator(app.<=#));
create operator app.=# (leftarg = app.pair, rightarg = app.pair, function = app.pair_eq, commutator = operator(app.=#), hashes, merges);
create operator app.<=# (leftarg = app.pair, rightarg = app.pair, function = app.pair_le, commutator = operator(app.>=#), negator = operator(app.>#));
create operator app.>=# (leftarg = app.pair, rightarg = app.pair, function = app.pair_ge, commutator = operator(app.<=#), negator = operator(app.<#));

comment on operator app.<# (app.pair, app.pair) is 'less';
create operator family app.pair_family using btree;
create operator class app.pair_ops for type app.pair using btree family app.pair_family as
	operator 1 app.<#, operator 2 app.<=#, operator 3 app.=#, operator 4 app.>=#, operator 5 app.>#, function 1 app.pair_cmp(app.pair, app.pair);
comment on operator class app.pair_ops using btree is 'by a';
create function app.int_pair_cmp(integer, app.pair) returns integer language sql immutable as 'select $1 - ($2).a';
create function app.int_pair_eq(integer, app.pair) returns boolean language sql immutable as 'select $1 = ($2).a';
create operator app.=# (leftarg = integer, rightarg = app.pair, function = app.int_pair_eq);
alter operator family app.pair_family using btree add operator 3 app.=# (integer, app.pair), function 1 (integer, app.pair) app.int_pair_cmp(integer, app.pair);
create function app.to_pair(integer) returns app.pair language sql immutable as 'select row($1, null, null)::app.pair';
create cast (integer as app.pair) with function app.to_pair(integer) as assignment;
create cast (app.mood as text) with inout;
comment on cast (integer as app.pair) is 'lossless';

-- Text search.
create text search dictionary app.nostop (template = pg_catalog.simple, stopwords = 'english', accept = false);
create text search dictionary app.stem (template = snowball, language = 'german');
create text search configuration app.searching (parser = pg_catalog."default");
alter text search configuration app.searching add mapping for asciiword, word with app.nostop, app.stem;
alter text search configuration app.searching add mapping for int with simple;
comment on text search configuration app.searching is 'ours';
comment on text search dictionary app.stem is 'german';

-- Tables.
create table app.customers (
	id bigint generated always as identity (start with 100 increment by 10),
	"Weird ""Name" text not null default 'a''b\c',
	email app.email,
	note character varying(40) collate app.icu_de,
	amount numeric(12,4) default 0.5 not null check (amount >= 0),
	tags text[] default array['a', 'b'],
	mood app.mood default 'ok',
	attrs app.hstore,
	born date,
	seen timestamp(3) with time zone default now(),
	total numeric generated always as (amount * 2) stored,
	doubled integer generated always as (app.std(4)) stored,
	body text,
	code text default app.next_code(),
	gone integer,
	"user" name,
	constraint customers_pkey primary key (id),
	constraint "Customers_email" unique (email) deferrable initially deferred,
	constraint positive check (app.is_positive(amount::integer)) no inherit
) with (fillfactor = 70, autovacuum_enabled = false, toast.autovacuum_vacuum_threshold = 77);
alter table app.customers drop column gone;
alter table app.customers add column added integer not null default 7;
alter table app.customers alter column body set storage external;
alter table app.customers alter column body set compression pglz;
alter table app.customers alter column note set statistics 250;
alter table app.customers alter column note set (n_distinct = -0.5);
alter table app.customers cluster on customers_pkey;
alter table app.customers add constraint old check (added > 0) not valid;
comment on table app.customers is E'multi\nline \\ comment';
comment on column app.customers."Weird ""Name" is 'weird';
comment on constraint "Customers_email" on app.customers is 'one each';
comment on index app.customers_pkey is 'the key''s index';
create unlogged table app.scratch (id serial primary key, data jsonb default '{"a": 1}'::jsonb);
create table "Mixed Case"."Select" (
	"Id" smallserial,
	"from" integer references app.customers (id) on delete cascade on update set null deferrable,
	during tstzrange,
	room integer,
	primary key ("Id") include (room),
	constraint no_overlap exclude using gist (room with =, during with &&) where (room > 0)
);
alter sequence "Mixed Case"."Select_Id_seq" restart with 5;
alter table "Mixed Case"."Select" add constraint fk_later foreign key (room) references "Mixed Case"."Select" ("Id") match full not valid;
create table app.empty ();
create table app.of_pair of app.pair (a with options primary key, "B b" with options default 'z' not null);
create table app.nokey (a integer, b point);
alter table app.nokey replica identity full;
create table app.silent (a integer primary key);
alter table app.silent replica identity nothing;
create table app.by_index (a integer not null, b integer not null, c text);
create unique index by_index_ab on app.by_index (b, a);
alter table app.by_index replica identity using index by_index_ab;
create table app.with_fn_check (a integer constraint c check (app.is_positive(a)), b timestamptz default '2024-01-01 12:00:00+02');

-- Inheritance.
create table app.animal (id integer primary key, name text not null default 'none', legs integer default 4, weight integer check (weight > 0));
create table app.bird (wings integer default 2, name text default 'bird') inherits (app.animal);
alter table app.bird alter column legs set default 2;
create table app.fish () inherits (app.animal);
alter table only app.fish alter column legs drop default;
alter table only app.fish alter column id set not null;
create table app.swims (depth numeric check (app.is_positive(depth::integer)));
create table app.penguin (extra text) inherits (app.bird, app.swims);
create table app.adopted (weight integer, name text not null, extra text, id integer not null, legs integer, constraint animal_weight_check check (weight > 0));
alter table app.adopted inherit app.animal;

-- Partitions.
create table app.events (
	id bigint not null,
	at timestamptz not null default now(),
	kind text not null,
	payload jsonb,
	amount integer check (amount < 1000000),
	constraint events_pkey primary key (id, at)
) partition by range (at);
create table app.events_2024 partition of app.events for values from ('2024-01-01 00:00:00+00') to ('2025-01-01 00:00:00+00');
create table app.events_2025 (payload jsonb, kind text not null default '25', id bigint not null, at timestamptz not null, amount integer check (amount < 1000000), own text generated always as ('x') stored);
alter table app.events_2025 drop column own;
alter table app.events_2025 rename constraint events_2025_amount_check to events_amount_check;
alter table app.events attach partition app.events_2025 for values from ('2025-01-01 00:00:00+00') to (maxvalue);
create table app.events_default partition of app.events default partition by hash (id);
create table app.events_default_0 partition of app.events_default for values with (modulus 2, remainder 0);
create table app.events_default_1 partition of app.events_default for values with (modulus 2, remainder 1) with (fillfactor = 50);
create index events_kind on app.events (kind, lower(kind) text_pattern_ops desc nulls last) include (amount);
create unique index events_2024_only on app.events_2024 (id) where kind <> 'x';
alter table app.events add constraint events_unique unique (at, id);
create table app.listed (a integer, b text) partition by list (lower(b));
create table app.listed_x partition of app.listed for values in ('x', null);
create table app.refers (event bigint, at timestamptz, foreign key (event, at) references app.events (id, at)) partition by range (event);
create table app.refers_1 partition of app.refers for values from (minvalue) to (100);
create index on only app.listed (a);
alter table app.events replica identity using index events_pkey;

-- Indexes and statistics.
create index customers_expr on app.customers using btree (((email)::text || 'x') collate "C", (amount + 1));
alter index app.customers_expr alter column 2 set statistics 500;
create index customers_trgm on app.customers using gin (note gin_trgm_ops) with (fastupdate = off);
create index customers_brin on app.customers using brin (seen) with (pages_per_range = 16);
create index "Mixed Index" on app.customers (born) where born is not null;
create unique index customers_lower on app.customers (lower(note));
create index pair_index on app.of_pair ((row(a, "B b", m)::app.pair) app.pair_ops);
create statistics app.customers_stats (dependencies, mcv) on amount, added from app.customers;
create statistics app.expr_stats on (amount + 1), added from app.customers;
alter statistics app.customers_stats set statistics 300;
comment on statistics app.customers_stats is 'correlated';
comment on index app.customers_expr is 'an expression';

-- Views.
create view app.v_base as select id, "Weird ""Name" as name, amount, mood from app.customers where mood > 'sad';
alter view app.v_base alter column amount set default 3;
create view app.a_first with (security_barrier) as select b.id, count(*) as n from app.v_base b join app.events e on e.id = b.id group by b.id;
create view app.by_key as select id, amount, email from app.customers group by id;
create view app.on_by_key as select id from app.by_key;
create function app.uses_view(app.v_base) returns integer language sql as 'select 1';
create view app.checked as select * from app.by_index where a > 0 with local check option;
create recursive view app.counting (n) as values (1) union all select n + 1 from counting where n < 5;
create materialized view app.mat with (fillfactor = 60) as select kind, sum(amount) as total from app.events group by kind;
create unique index mat_kind on app.mat (kind);
create materialized view app.mat2 as select count(*) from app.mat with no data;
create materialized view app.a_mat3 as select m.total, v.n from app.mat m, app.counting v;
alter materialized view app.mat alter column kind set statistics 99;
create function app.reads_mat() returns setof app.mat language sql begin atomic select * from app.mat; end;
comment on view app.v_base is 'base';
comment on column app.v_base.name is 'the name';
comment on materialized view app.mat is 'sums';

-- A circle: the view calls a function that reads the view.
create view app.circle as select 1 as n, 'x'::varchar(5) collate "C" as t;
create function app.reads_circle() returns bigint language sql begin atomic select count(*) from app.circle; end;
create or replace view app.circle as select app.std(1) as n, 'y'::varchar(5) collate "C" as t where app.reads_circle() > 0;

-- Rules, triggers, policies.
create rule no_delete as on delete to app.by_index do instead nothing;
create rule log_insert as on insert to app.by_index where new.a > 5 do also (insert into app.nokey values (new.a); delete from app.silent where a = new.a);
alter table app.by_index disable rule log_insert;
create rule v_insert as on insert to app.on_by_key do instead insert into app.nokey values (1);
comment on rule no_delete on app.by_index is 'never';
create trigger touch before update of note, born on app.customers for each row when (old.note is distinct from new.note) execute function app.touch('a', 'b''c');
create trigger always_on after insert on app.customers for each statement execute function app.touch();
alter table app.customers enable always trigger always_on;
create trigger replica_only after insert on app.customers referencing new table as fresh for each statement execute function app.touch();
alter table app.customers enable replica trigger replica_only;
create trigger off before delete on app.customers for each row execute function app.touch();
alter table app.customers disable trigger off;
create constraint trigger checked after insert on app.customers deferrable initially deferred for each row execute function app.touch();
create trigger on_events after insert on app.events for each row execute function app.touch();
alter table app.events_2024 disable trigger on_events;
create trigger instead instead of insert on app.v_base for each row execute function app.touch();
comment on trigger touch on app.customers is 'touches';
alter table app.customers enable row level security;
alter table app.customers force row level security;
create policy everyone on app.customers for select using (amount > 0);
create policy strict on app.customers as restrictive for update to pg_read_all_stats, pg_monitor using (true) with check (mood <> 'sad');
comment on policy strict on app.customers is 'careful';
create function public.in_public(public.citext) returns integer language sql as 'select 1';

-- Odd ones.
create schema "a.b""c";
create table "a.b""c"."t%s $1 äöü" ("x.y" integer primary key, "%" text default '$1 %s', "select" integer);
create index "i x" on "a.b""c"."t%s $1 äöü" ("select", lower("%"));
create function "a.b""c"."F g"("x.y" "a.b""c"."t%s $1 äöü", "Out" out integer) language sql as $$ select $1."x.y" $$;
create aggregate "a.b""c"."Agg"("Arg" integer) (sfunc = int4pl, stype = integer);
create operator "a.b""c".=== (leftarg = integer, rightarg = integer, function = int4eq, commutator = operator("a.b""c".===));
create type "a.b""c"."E e" as enum ();
create type "a.b""c"."Empty" as ();
create domain "a.b""c"."D d" as "a.b""c"."E e"[] check (array_length(value, 1) < 5);
create extension cube;
create extension earthdistance with schema "a.b""c";
create function app.ok(text) returns boolean language plpgsql immutable as $$ begin return $1 <> ''; end $$;
create domain app.checked_text as text check (app.ok(value));
create table app.rows (c app.silent, cs app.silent[], d app.checked_text, r app.many_floats, v app.v_base);
create table app.mutual_a (id integer primary key, b integer);
create table app.mutual_b (id integer primary key, a integer references app.mutual_a deferrable);
alter table app.mutual_a add foreign key (b) references app.mutual_b;
create table app.using_index (a integer not null, b integer);
create unique index using_index_b on app.using_index (b);
alter table app.using_index add constraint using_index_unique unique using index using_index_b deferrable;
create table app.own_identity (id integer generated by default as identity (sequence name app."Own Seq" start 7), k smallint generated always as identity (cycle maxvalue 9));
create sequence app.owned_no_default owned by app.own_identity.k;
create table app.shares_sequence (id bigint default nextval('app.owned_no_default'));
create table app.gen_parent (a integer, g integer generated always as (a + 1) stored);
create table app.gen_child (b integer) inherits (app.gen_parent);
create table app.gen_local (a integer, g integer) inherits (app.gen_parent);
create table app.diamond_a (x integer not null, y integer default 1, check (x > 0) no inherit);
create table app.diamond_b (x integer, z integer);
create table app.diamond (y integer default 5, x integer check (x < 100)) inherits (app.diamond_a, app.diamond_b);
create table app.diamond_deep () inherits (app.diamond);
create table app.p_list (a integer not null, b text default 'p' not null, c integer generated by default as identity) partition by list (a);
create table app.p_list_1 partition of app.p_list (b default 'one', constraint own check (b <> 'two')) for values in (1) partition by range (b);
create table app.p_list_1_a partition of app.p_list_1 for values from ('a') to (maxvalue);
alter table app.p_list_1_a alter column b drop default;
create index p_list_b on app.p_list (b) with (fillfactor = 80);
alter table app.p_list add unique (a, b);
create unique index p_list_1_a_more on app.p_list_1_a (b, c);
alter table app.p_list_1_a replica identity using index p_list_1_a_a_b_key;
create trigger p_trigger before update on app.p_list for each row execute function app.touch();
alter table app.p_list_1 disable trigger p_trigger;
alter table app.p_list add constraint p_check check (app.is_positive(a));
alter table app.p_list add constraint p_later check (a < 1000) not valid;
alter table app.p_list add foreign key (a) references app.mutual_a;
alter table app.p_list_1_a add foreign key (c) references app.mutual_b on update cascade;
create view app.joined (one, "Two 2") as select a.id, b.id from app.mutual_a a join app.mutual_b b using (id) where a.b = any (array[1, 2]);
create view app.values_view as values (1, 'a'), (2, 'b');
create view app.with_window as select id, sum(id) over w from app.mutual_a window w as (partition by b order by id rows between 1 preceding and current row);
create materialized view app.mat_clustered as select id, row_number() over () as n from app.mutual_a;
create unique index mat_clustered_id on app.mat_clustered (id);
alter materialized view app.mat_clustered cluster on mat_clustered_id;
alter materialized view app.mat_clustered alter column n set storage plain;
create rule view_delete as on delete to app.values_view do instead nothing;
create function app.quoting() returns text language sql set search_path = app, "a.b""c", public set "DateStyle" = 'ISO' as 'select $q$''\$q$';
create function app.circular_default(a integer default app.std(2)) returns integer language sql begin atomic select app.std(a); end;
create function app.triangle(app.floats, variadic anyarray) returns anyelement language sql as 'select $2[1]';
create function app.win() returns bigint language internal window as 'window_row_number';
create text search parser app.parser (start = prsd_start, gettoken = prsd_nexttoken, end = prsd_end, headline = prsd_headline, lextypes = prsd_lextype);
create text search template app.template (init = dsimple_init, lexize = dsimple_lexize);
create text search dictionary app.on_template (template = app.template);
create text search configuration app.on_parser (parser = app.parser);
alter text search configuration app.on_parser add mapping for word with app.on_template;
create operator class app.int_by_hash for type integer using hash as operator 1 =, function 1 hashint4(integer);
create index by_hash on app.mutual_a using hash (b app.int_by_hash);
create index distances on app.nokey using gist (b);
create statistics app.unnamed (ndistinct) on a, b from app.using_index;
comment on column app.gen_parent.g is e'tab\there';
comment on function app.win() is '';

-- owners and privileges
create schema theirs authorization alice;
grant usage on schema theirs to public, bob;
grant create on schema public to bob;
create table theirs.t (id serial primary key, n bigint generated always as identity, secret text, unique (n));
alter table theirs.t owner to alice;
grant select (id, n), update (n) on theirs.t to bob;
grant select on theirs.t to carol with grant option;
set role carol;
grant select on theirs.t to "Dave ""D""";
reset role;
grant insert, delete on theirs.t to carol;
grant usage on sequence theirs.t_id_seq, theirs.t_n_seq to bob;
create view theirs.v as select id from theirs.t;
alter view theirs.v owner to alice;
grant all on theirs.v to bob;
revoke delete on theirs.v from alice;
create materialized view theirs.m as select id from theirs.t with no data;
alter materialized view theirs.m owner to bob;
create function theirs.f(integer, out integer, variadic text[]) language sql as 'select 1';
alter function theirs.f(integer, text[]) owner to alice;
revoke execute on function theirs.f(integer, text[]) from public;
grant execute on function theirs.f(integer, text[]) to bob;
create procedure theirs.p(integer, out integer) language sql as 'select 1';
revoke execute on procedure theirs.p(integer, out integer) from public, postgres;
create aggregate theirs.mode(order by anyelement) (sfunc = ordered_set_transition, stype = internal, finalfunc = mode_final, finalfunc_extra);
alter aggregate theirs.mode(order by anyelement) owner to alice;
grant execute on function theirs.mode(anyelement) to bob;
create type theirs.e as enum ('x');
alter type theirs.e owner to alice;
revoke usage on type theirs.e from public;
create domain theirs.d as integer;
alter domain theirs.d owner to alice;
grant usage on type theirs.d to bob;
create type theirs.c as (x integer);
alter type theirs.c owner to alice;
create type theirs.r as range (subtype = integer);
alter type theirs.r owner to bob;
create sequence theirs.s;
alter sequence theirs.s owner to alice;
grant all on sequence theirs.s to bob;
create collation theirs.co from "C";
alter collation theirs.co owner to alice;
create operator theirs.=== (leftarg = integer, rightarg = integer, function = int4eq);
alter operator theirs.=== (integer, integer) owner to alice;
create operator family theirs.fam using btree;
alter operator family theirs.fam using btree owner to alice;
create operator class theirs.oc for type integer using btree family theirs.fam as operator 3 =, function 1 btint4cmp(integer, integer);
alter operator class theirs.oc using btree owner to alice;
create text search dictionary theirs.dict (template = simple);
alter text search dictionary theirs.dict owner to alice;
create text search configuration theirs.conf (copy = simple);
alter text search configuration theirs.conf owner to alice;
create statistics theirs.st on id, n from theirs.t;
alter statistics theirs.st owner to alice;
alter default privileges for role alice in schema theirs grant select on tables to bob;
alter default privileges for role bob revoke execute on functions from public;
alter default privileges for role bob grant all on sequences to alice with grant option;
alter default privileges for role "Dave ""D""" grant usage on types to bob;
alter default privileges for role "Dave ""D""" revoke usage on types from public;
alter default privileges for role "Dave ""D""" grant all on schemas to public;
