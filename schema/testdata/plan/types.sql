-- labels are added to an enum
create type mood as enum ('b', 'd');
create table t (m mood default 'b');
insert into t values ('d');
-- change
alter type mood add value 'c' before 'd';
alter type mood add value 'e';
alter type mood add value 'a' before 'b';
alter type mood add value 'aa' after 'a';
----
first: alter type public.mood add value if not exists 'a' before 'b';
first: alter type public.mood add value if not exists 'aa' after 'a';
first: alter type public.mood add value if not exists 'c' after 'b';
first: alter type public.mood add value if not exists 'e' after 'd';

-- labels are renamed, also in a circle
create type mood as enum ('a', 'b', 'c');
create table t (m mood default 'a', check (m <> 'b'));
create index on t (m) where m = 'c';
insert into t values ('c');
-- change
alter type mood rename value 'a' to 'x';
alter type mood rename value 'b' to 'a';
alter type mood rename value 'x' to 'b';
alter type mood rename value 'c' to 'it''s';
----
alter type public.mood rename value 'c' to 'it''s';
alter type public.mood rename value 'a' to 'bridge_1';
alter type public.mood rename value 'b' to 'a';
alter type public.mood rename value 'bridge_1' to 'b';

-- a label is renamed and its name given to a new one
create type mood as enum ('a', 'b');
create table t (m mood);
insert into t values ('a');
-- change
alter type mood rename value 'a' to 'a2';
alter type mood add value 'a' after 'b';
alter type mood add value 'c' after 'a';
----
first: alter type public.mood add value if not exists 'bridge 2' after 'b';
first: alter type public.mood add value if not exists 'c' after 'bridge 2';
alter type public.mood rename value 'a' to 'a2';
alter type public.mood rename value 'bridge 2' to 'a';

-- an enum is renamed, moved and gets a label
create schema s;
create type mood as enum ('a', 'b');
create table t (m mood default 'a', ms mood[]);
create function f(mood) returns mood language sql as 'select $1';
-- change
alter type mood rename to "Mood";
alter type "Mood" set schema s;
alter type s."Mood" add value 'c';
----
first: alter type public.mood add value if not exists 'c' after 'b';
alter type public.mood set schema s;
alter type s.mood rename to "Mood";

-- an enum is dropped
create type mood as enum ('a', 'b');
create table t (a int, m mood default 'a');
create function f(mood) returns mood language sql as 'select $1';
insert into t values (1);
-- change
drop type mood cascade;
----
drop routine public.f(public.mood);
alter table public.t drop column m;
drop type public.mood;

-- a label is taken out of an enum, which needs another type
create type mood as enum ('a', 'b', 'c');
create table t (m mood not null default 'a', n mood);
create index on t (m);
create view v as select n from t;
insert into t values ('a');
-- change
drop view v;
create type new_mood as enum ('a', 'b');
alter table t alter m drop default, alter m type new_mood using m::text::new_mood, alter n type new_mood using n::text::new_mood;
alter table t alter m set default 'a';
drop type mood;
alter type new_mood rename to mood;
create view v as select n from t;
----
drop view public.v;
alter table only public.t alter column m drop default;
alter type public.mood rename to bridge_1;
create type public.mood as enum ('a', 'b');
alter table public.t alter column m type public.mood using m::text::public.mood;
alter table public.t alter column n type public.mood using n::text::public.mood;
alter table only public.t alter column m set default 'a'::public.mood;
create view public.v as
SELECT t.n
   FROM public.t;
drop type public.bridge_1;

-- a composite type
create type pair as (a int, b text, c int);
create function f(pair) returns int language sql as 'select ($1).a';
comment on column pair.b is 'bb';
-- change
alter type pair rename attribute b to bb;
alter type pair drop attribute c;
alter type pair add attribute c text collate "C";
alter type pair alter attribute a type bigint;
alter type pair add attribute d int;
----
alter type public.pair drop attribute c cascade;
alter type public.pair rename attribute b to bb cascade;
alter type public.pair alter attribute a type bigint cascade;
alter type public.pair add attribute c text collate "C" cascade;
alter type public.pair add attribute d integer cascade;

-- attributes change names, one is dropped
create type pair as (a int, b text, c int);
-- change
alter type pair drop attribute c;
alter type pair rename attribute a to c;
alter type pair rename attribute b to a;
alter type pair rename attribute c to b;
----
alter type public.pair drop attribute c cascade;
alter type public.pair rename attribute a to bridge_1 cascade;
alter type public.pair rename attribute b to a cascade;
alter type public.pair rename attribute bridge_1 to b cascade;

-- a composite type in a table gets an attribute
create type pair as (a int, b text);
create table t (p pair);
insert into t values ('(1,x)');
-- change
alter type pair add attribute c int;
----
alter type public.pair add attribute c integer cascade;

-- a domain
create domain d as int default 5 not null constraint pos check (value > 0) constraint big check (value < 1000);
create table t (a d);
create function f() returns int language sql immutable as 'select 7';
comment on constraint pos on domain d is 'p';
comment on constraint big on domain d is 'b';
insert into t values (5);
-- change
alter domain d drop not null;
alter domain d set default 6;
alter domain d drop constraint big;
alter domain d rename constraint pos to positive;
alter domain d add constraint big check (value < 2000);
alter domain d add constraint f check (value <> f()) not valid;
----
comment on constraint big on domain public.d is null;
alter domain public.d drop constraint big;
alter domain public.d rename constraint pos to positive;
alter domain public.d set default 6;
alter domain public.d drop not null;
alter domain public.d add constraint big CHECK ((VALUE < 2000));
alter domain public.d add constraint f CHECK ((VALUE <> public.f())) NOT VALID;

-- a domain's constraint is validated
create domain d as int;
alter domain d add constraint a check (value > 0) not valid;
-- change
alter domain d validate constraint a;
alter domain d set not null;
alter domain d set default 3;
----
alter domain public.d set default 3;
alter domain public.d set not null;
alter domain public.d validate constraint a;

-- a domain's constraints change names
create domain d as int constraint a check (value > 0) constraint b check (value < 100);
-- change
alter domain d rename constraint a to c;
alter domain d rename constraint b to a;
alter domain d rename constraint c to b;
----
alter domain public.d rename constraint a to bridge_1;
alter domain public.d rename constraint b to a;
alter domain public.d rename constraint bridge_1 to b;

-- a domain over an enum in an array in a composite
create type mood as enum ('a', 'b');
create domain dm as mood check (value <> 'b');
create type comp as (x dm[], y int);
create table t (c comp, d dm default 'a');
create function f(comp) returns dm language sql immutable as $$ select 'a'::public.dm $$;
create index on t (f(c));
insert into t values ('({a},1)');
-- change
alter type mood rename to mood2;
alter type mood2 rename value 'b' to 'bb';
alter domain dm rename to dm2;
alter type comp rename to comp2;
alter type comp2 rename attribute x to xx;
----
alter type public.mood rename to mood2;
alter domain public.dm rename to dm2;
alter type public.comp rename to comp2;
alter type public.mood2 rename value 'b' to 'bb';
alter type public.comp2 rename attribute x to xx cascade;

-- ranges
create type r1 as range (subtype = float8);
create type r2 as range (subtype = text, collation = "C", multirange_type_name = many);
create table t (a r1, b r2);
insert into t values ('[1,2)', '[a,b)');
-- change
alter type r1 rename to r3;
alter type many rename to many2;
create type r1 as range (subtype = int, multirange_type_name = r1_many);
drop table t;
drop type r2;
----
drop table public.t;
drop type public.r2;
alter type public.r1 rename to r3;
create type public.r1 as range (subtype = integer, multirange_type_name = public.r1_many);

-- types are moved
create schema s;
create type r1 as range (subtype = float8);
create domain d as int;
create type pair as (a d);
create table t (a r1, b d);
-- change
alter type r1 set schema s;
alter domain d set schema s;
alter type pair set schema s;
----
alter domain public.d set schema s;
alter type public.pair set schema s;
alter type public.r1 set schema s;

-- a domain is dropped where a table has it
create domain d as int;
create table t (a d, b int);
insert into t values (1, 2);
-- change
drop domain d cascade;
----
alter table public.t drop column a;
drop domain public.d;

-- collations
create collation c1 (locale = 'C');
create collation c2 (locale = 'C');
create table t (a text collate c1, b text collate c2);
create index on t (a collate c2);
insert into t values ('x', 'y');
-- change
alter collation c1 rename to c3;
alter table t alter b type text;
drop index t_a_idx;
drop collation c2;
create collation c2 (provider = icu, locale = 'de');
----
drop index public.t_a_idx;
alter collation public.c2 rename to bridge_1;
alter collation public.c1 rename to c3;
create collation public.c2 (provider = icu, locale = 'de');
alter table public.t alter column b type text;
drop collation public.bridge_1;

-- a type becomes another kind
create type x as (a int);
-- change
drop type x;
create type x as enum ('a');
----
drop type public.x;
create type public.x as enum ('a');
