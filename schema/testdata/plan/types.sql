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

-- a label is renamed and its name given to a new one
create type mood as enum ('a', 'b');
create table t (m mood);
insert into t values ('a');
-- change
alter type mood rename value 'a' to 'a2';
alter type mood add value 'a' after 'b';
alter type mood add value 'c' after 'a';
----

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

-- an enum is dropped
create type mood as enum ('a', 'b');
create table t (a int, m mood default 'a');
create function f(mood) returns mood language sql as 'select $1';
insert into t values (1);
-- change
drop type mood cascade;
----

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

-- attributes change names, one is dropped
create type pair as (a int, b text, c int);
-- change
alter type pair drop attribute c;
alter type pair rename attribute a to c;
alter type pair rename attribute b to a;
alter type pair rename attribute c to b;
----

-- a composite type in a table gets an attribute
create type pair as (a int, b text);
create table t (p pair);
insert into t values ('(1,x)');
-- change
alter type pair add attribute c int;
----

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

-- a domain's constraint is validated
create domain d as int;
alter domain d add constraint a check (value > 0) not valid;
-- change
alter domain d validate constraint a;
alter domain d set not null;
alter domain d set default 3;
----

-- a domain's constraints change names
create domain d as int constraint a check (value > 0) constraint b check (value < 100);
-- change
alter domain d rename constraint a to c;
alter domain d rename constraint b to a;
alter domain d rename constraint c to b;
----

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

-- ranges
create type r1 as range (subtype = float8);
create type r2 as range (subtype = text, collation = "C", multirange_type_name = many);
create table t (a r1, b r2);
insert into t values ('[1,2)', '[a,b)');
-- change
alter type r1 rename to r3;
alter type many rename to many2;
create type r1 as range (subtype = int);
drop table t;
drop type r2;
----

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

-- a domain is dropped where a table has it
create domain d as int;
create table t (a d, b int);
insert into t values (1, 2);
-- change
drop domain d cascade;
----

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

-- a type becomes another kind
create type x as (a int);
-- change
drop type x;
create type x as enum ('a');
----
