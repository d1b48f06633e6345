-- owners
create table t (a int primary key, b text);
create sequence s;
create view v as select a from t;
create materialized view m as select a from t;
create function f(int, out x int) language sql as 'select 1';
create procedure p(int) language sql as 'select 1';
create aggregate ag(int) (sfunc = int4pl, stype = int);
create type e as enum ('a');
create domain d as int;
create schema sch;
create statistics st on a, b from t;
create collation c from "C";
create text search dictionary td (template = simple);
create text search configuration tc (copy = simple);
create operator === (leftarg = int, rightarg = int, function = int4eq);
create operator family fam using btree;
-- change
alter table t owner to alice;
alter sequence s owner to alice;
alter view v owner to alice;
alter materialized view m owner to "Dave ""D""";
alter function f(int) owner to alice;
alter procedure p(int) owner to alice;
alter aggregate ag(int) owner to alice;
alter type e owner to alice;
alter domain d owner to alice;
alter schema sch owner to alice;
alter statistics st owner to alice;
alter collation c owner to alice;
alter text search dictionary td owner to alice;
alter text search configuration tc owner to alice;
alter operator === (int, int) owner to alice;
alter operator family fam using btree owner to alice;
----
alter schema sch owner to alice;
alter aggregate public.ag(integer) owner to alice;
alter collation public.c owner to alice;
alter domain public.d owner to alice;
alter function public.f(integer, OUT x integer) owner to alice;
alter operator family public.fam using btree owner to alice;
alter operator public.=== (integer, integer) owner to alice;
alter procedure public.p(IN integer) owner to alice;
alter sequence public.s owner to alice;
alter statistics public.st owner to alice;
alter text search configuration public.tc owner to alice;
alter text search dictionary public.td owner to alice;
alter type public.e owner to alice;
alter materialized view public.m owner to "Dave ""D""";
alter table public.t owner to alice;
alter view public.v owner to alice;

-- the sequences of a table go with it
create table t (a serial, b int generated always as identity);
grant usage on sequence t_a_seq to bob;
-- change
alter table t owner to alice;
grant select on sequence t_b_seq to carol;
----
alter table public.t owner to alice;
grant select on sequence public.t_b_seq to carol;

-- a table that is somebody's gets a sequence
create table t (a int);
alter table t owner to alice;
create sequence s;
-- change
alter table t add column b serial;
alter sequence s owner to alice;
alter sequence s owned by t.a;
----
create sequence public.t_b_seq as integer start with 1 increment by 1 minvalue 1 maxvalue 2147483647 cache 1;
alter table public.t add column b integer not null;
alter table only public.t alter column b set default nextval('public.t_b_seq'::regclass);
do $bridge$ begin execute 'alter sequence public.s owner to ' || (select relowner::regrole from pg_class where oid = 'public.t'::regclass); end $bridge$;
alter sequence public.s owned by public.t.a;
do $bridge$ begin execute 'alter sequence public.t_b_seq owner to ' || (select relowner::regrole from pg_class where oid = 'public.t'::regclass); end $bridge$;
alter sequence public.t_b_seq owned by public.t.b;

-- grants are added, changed where they stand, and taken away
create table t (a int);
grant select, insert on t to alice, bob with grant option;
grant select on t to public;
-- change
revoke select on t from public;
revoke grant option for insert on t from alice;
revoke insert on t from bob;
grant update, select on t to bob;
grant all on t to carol;
revoke truncate on t from postgres;
----
revoke select on table public.t from public;
revoke insert on table public.t from bob cascade;
revoke grant option for insert on table public.t from alice cascade;
revoke truncate on table public.t from postgres;
grant update on table public.t to bob;
grant all on table public.t to carol;

-- a grant that was made again stands behind the others
create table t (a int);
grant select on t to alice;
grant select on t to bob;
-- change
revoke select on t from alice;
grant select on t to alice;
----
revoke select on table public.t from bob;
revoke select on table public.t from alice;
revoke all on table public.t from postgres;
grant all on table public.t to postgres;
grant select on table public.t to bob;
grant select on table public.t to alice;

-- somebody else grants
create table t (a int);
grant select on t to alice with grant option;
set role alice;
grant select on t to bob with grant option;
reset role;
-- change
set role bob;
grant select on t to carol;
reset role;
----
set local role bob; grant select on table public.t to carol; reset role;

-- what rests on a grant goes with it
create table t (a int);
grant select on t to alice with grant option;
set role alice;
grant select on t to bob with grant option;
set role bob;
grant select on t to carol;
reset role;
-- change
revoke select on t from alice cascade;
grant insert on t to bob;
----
revoke select on table public.t from alice cascade;
grant insert on table public.t to bob;

-- a new owner who had grants
create table t (a int);
grant select, insert on t to alice with grant option;
set role alice;
grant insert on t to bob;
reset role;
grant update on t to bob;
-- change
alter table t owner to alice;
grant delete on t to carol;
----
alter table public.t owner to alice;
grant delete on table public.t to carol;

-- columns
create table t (a int, b int, c int, d int);
grant select (a, b), update (a) on t to alice;
grant select (c) on t to bob;
grant all (d) on t to carol;
-- change
alter table t rename a to x;
alter table t drop column b;
alter table t add column b int;
grant select (b), insert (x) on t to alice with grant option;
revoke select (c) on t from bob;
----
alter table public.t drop column b;
alter table public.t rename column a to x;
alter table public.t add column b integer;
grant insert (x) on table public.t to alice with grant option;
revoke select (c) on table public.t from bob;
grant select (b) on table public.t to alice with grant option;

-- a column that was dropped and made again
create table t (a int, b int);
grant select (b) on t to alice;
-- change
alter table t drop column b;
alter table t add column b int;
grant select (b) on t to alice;
----
alter table public.t drop column b;
alter table public.t add column b integer;
grant select (b) on table public.t to alice;

-- what is revoked from a table is revoked from its columns
create table t (a int, b int);
grant select, insert on t to alice;
grant select (a), update (a) on t to alice;
grant select (b) on t to bob;
-- change
revoke select on t from alice;
grant select (b) on t to alice;
----
revoke select on table public.t from alice;
grant select (b) on table public.t to alice;

-- what everybody may
create function f() returns int language sql as 'select 1';
create type e as enum ('a');
-- change
revoke all on function f() from public;
grant execute on function f() to alice;
revoke all on type e from public;
create function g() returns int language sql as 'select 1';
revoke execute on function g() from public, postgres;
----
CREATE OR REPLACE FUNCTION public.g()
 RETURNS integer
 LANGUAGE sql
AS $function$select 1$function$;
revoke all on routine public.f() from public;
grant all on routine public.f() to alice;
revoke all on routine public.g() from postgres;
revoke all on routine public.g() from public;
revoke all on type public.e from public;

-- a view and a function that are made again
create table t (a int, b int);
create view v as select a from t;
alter view v owner to alice;
grant select on v to bob;
grant update (a) on v to carol;
create function f(int) returns int language sql as 'select 1';
revoke execute on function f(int) from public;
grant execute on function f(int) to bob;
create function g() returns int language sql as 'select 1';
alter function g() owner to alice;
grant execute on function g() to bob;
-- change
drop view v;
create view v as select b, a from t;
alter view v owner to alice;
grant select on v to bob;
drop function f(int);
create function f(int) returns text language sql as 'select ''x''';
grant execute on function f(int) to bob;
create or replace function g() returns int language sql as 'select 2';
----
drop view public.v;
drop routine public.f(integer);
CREATE OR REPLACE FUNCTION public.f(integer)
 RETURNS text
 LANGUAGE sql
AS $function$select 'x'$function$;
CREATE OR REPLACE FUNCTION public.g()
 RETURNS integer
 LANGUAGE sql
AS $function$select 2$function$;
create view public.v as
SELECT t.b,
    t.a
   FROM public.t;
grant all on routine public.f(integer) to bob;
alter view public.v owner to alice;
grant select on table public.v to bob;

-- everything revoked
create table t (a int);
-- change
revoke all on t from postgres;
create table u (a int);
revoke all on u from postgres;
grant select on u to alice;
----
create table public.u (
	a integer
);
revoke all on table public.t from postgres;
revoke all on table public.u from postgres;
grant select on table public.u to alice;

-- schemas
create schema s;
-- change
grant usage on schema s to public;
grant all on schema public to alice;
revoke all on schema public from public;
alter schema s rename to z;
create schema s authorization alice;
----
alter schema s rename to z;
create schema s;
revoke usage on schema public from public;
grant all on schema public to alice;
alter schema s owner to alice;
grant usage on schema z to public;

-- privileges by default
create schema s;
create schema gone;
alter default privileges grant select on tables to bob;
alter default privileges for role alice in schema s grant usage on sequences to bob;
alter default privileges in schema gone grant usage on types to bob;
-- change
alter default privileges grant insert on tables to alice with grant option;
alter default privileges for role alice revoke execute on functions from public;
alter default privileges in schema s grant usage on types to public;
alter default privileges for role "Dave ""D""" grant create on schemas to bob;
alter schema s rename to "S";
drop schema gone;
----
alter default privileges for role postgres in schema gone revoke all on types from bob;
drop schema gone;
alter schema s rename to "S";
alter default privileges for role "Dave ""D""" grant create on schemas to bob;
alter default privileges for role alice revoke all on routines from public;
alter default privileges for role postgres in schema "S" grant all on types to public;
alter default privileges for role postgres grant insert on tables to alice with grant option;

-- privileges by default are taken back, and the new table has them no more
alter default privileges grant select on tables to bob;
alter default privileges revoke usage on types from public;
alter default privileges for role alice grant all on sequences to bob;
-- change
create table t (a int);
alter default privileges revoke select on tables from bob;
alter default privileges grant usage on types to public;
alter default privileges for role alice revoke select on sequences from bob;
create table u (a int);
----
alter default privileges for role postgres grant all on types to public;
alter default privileges for role postgres revoke select on tables from bob;
create table public.t (
	a integer
);
create table public.u (
	a integer
);
grant select on table public.t to bob;
alter default privileges for role alice revoke select on sequences from bob;

-- an object and its privileges are renamed
create schema s;
create table s.t (a int);
grant select on s.t to alice;
create function s.f() returns int language sql as 'select 1';
alter function s.f() owner to alice;
-- change
alter schema s rename to s2;
alter table s2.t rename to u;
alter function s2.f() rename to g;
grant insert on s2.u to alice;
----
alter schema s rename to s2;
alter routine s2.f() rename to g;
alter table s2.t rename to u;
grant insert on table s2.u to alice;

-- triggers and rules that fire always, or on a replica only
create table t (a int);
create function tf() returns trigger language plpgsql as 'begin return new; end';
create trigger tr before insert on t for each row execute function tf();
create trigger tr2 before insert on t for each row execute function tf();
alter table t enable replica trigger tr2;
create rule r as on delete to t do also select 1;
create table p (a int) partition by list (a);
create table p1 partition of p for values in (1);
create table p2 partition of p for values in (2);
create trigger ptr after insert on p for each row execute function tf();
create trigger ptr2 after insert on p for each row execute function tf();
alter table p1 enable replica trigger ptr;
alter table p1 disable trigger ptr2;
-- change
alter table t enable always trigger tr;
alter table t enable trigger tr2;
alter table t enable always rule r;
alter table p enable always trigger ptr2;
alter table p1 enable trigger ptr;
alter table p2 enable always trigger ptr;
----
drop trigger tr2 on public.t;
drop trigger tr on public.t;
alter table public.p1 enable trigger ptr;
drop trigger ptr2 on public.p;
drop rule r on public.t;
CREATE RULE r AS
    ON DELETE TO public.t DO  SELECT 1 AS "?column?";
alter table public.t enable always rule r;
CREATE TRIGGER ptr2 AFTER INSERT ON public.p FOR EACH ROW EXECUTE FUNCTION public.tf();
alter table public.p enable always trigger ptr2;
alter table public.p2 enable always trigger ptr;
CREATE TRIGGER tr BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.tf();
alter table public.t enable always trigger tr;
CREATE TRIGGER tr2 BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.tf();

-- on languages, foreign data wrappers and servers; whose these and conversions are
create foreign data wrapper w;
create server s foreign data wrapper w;
grant usage on foreign server s to carol;
create trusted language l handler plpgsql_call_handler;
create conversion c for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
-- change
grant usage on foreign data wrapper w to bob with grant option;
revoke usage on foreign server s from carol;
alter server s owner to alice;
grant usage on language l to alice;
revoke usage on language l from public;
alter language l owner to bob;
alter conversion c owner to alice;
----
grant all on foreign data wrapper w to bob with grant option;
alter language l owner to bob;
revoke all on language l from public;
grant all on language l to alice;
alter server s owner to alice;
revoke all on foreign server s from carol;
alter conversion public.c owner to alice;

-- they come with them
select 1;
-- change
create foreign data wrapper w;
create server s foreign data wrapper w;
alter server s owner to alice;
grant usage on foreign server s to carol;
create trusted language l handler plpgsql_call_handler;
revoke usage on language l from public;
----
create trusted language l handler plpgsql_call_handler;
create foreign data wrapper w;
create server s foreign data wrapper w;
revoke all on language l from public;
alter server s owner to alice;
grant all on foreign server s to carol;

-- on a language that is built in
select 1;
-- change
revoke usage on language plpgsql from public;
grant usage on language plpgsql to alice with grant option;
grant usage on language sql to bob;
----
revoke all on language plpgsql from public;
grant all on language plpgsql to alice with grant option;
grant all on language sql to bob;

-- and others
revoke usage on language plpgsql from public;
grant usage on language plpgsql to alice;
-- change
grant usage on language plpgsql to bob;
revoke usage on language plpgsql from alice;
----
revoke all on language plpgsql from alice;
grant all on language plpgsql to bob;

-- and none any more
revoke usage on language plpgsql from public;
grant usage on language plpgsql to alice;
-- change
revoke usage on language plpgsql from alice;
grant usage on language plpgsql to public;
----
revoke all on language plpgsql from alice;
revoke all on language plpgsql from postgres;
grant all on language plpgsql to public;
grant all on language plpgsql to postgres;
