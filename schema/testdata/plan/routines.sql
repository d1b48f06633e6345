-- functions change
create function f(a int, b text default 'x') returns text language sql immutable as $$ select b $$;
create function g(int) returns int language sql as 'select 1';
create function h() returns void language plpgsql as 'begin end';
create procedure p(a int) language sql as 'select 1';
comment on function g(int) is 'gg';
create table t (a text default f(1), check (f(2) <> a));
create index on t (f(3, a));
insert into t values ('1');
-- change
create or replace function f(a int, b text default 'y') returns text language sql immutable cost 5 as $$ select b || 'x' $$;
drop function g(int);
create function g(int) returns bigint language sql as 'select 1::bigint';
alter function h() set work_mem = '1MB';
alter procedure p(int) rename to p2;
create procedure p(a int, b int) language sql as 'select 1';
----
drop routine public.g(integer);
alter routine public.p(integer) rename to p2;
CREATE OR REPLACE FUNCTION public.f(a integer, b text DEFAULT 'y'::text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE COST 5
AS $function$ select b || 'x' $function$;
CREATE OR REPLACE FUNCTION public.g(integer)
 RETURNS bigint
 LANGUAGE sql
AS $function$select 1::bigint$function$;
CREATE OR REPLACE FUNCTION public.h()
 RETURNS void
 LANGUAGE plpgsql
 SET work_mem TO '1MB'
AS $function$begin end$function$;
CREATE OR REPLACE PROCEDURE public.p(IN a integer, IN b integer)
 LANGUAGE sql
AS $procedure$select 1$procedure$;

-- functions are renamed and moved
create schema s;
create function f(a int) returns int language sql immutable as 'select $1';
create function f(a text) returns int language sql immutable as 'select 1';
create aggregate agg(int) (sfunc = int4pl, stype = int);
create table t (a int default f(1), g int generated always as (f(5)) stored, check (f(a) > 0));
create index on t (f(a));
create view v as select f(a) from t;
comment on function f(int) is 'ff';
insert into t values (1);
-- change
alter function f(int) rename to "F f";
alter function f(text) set schema s;
alter aggregate agg(int) rename to agg2;
----
alter routine public.f(integer) rename to "F f";
alter routine public.f(text) set schema s;
alter aggregate public.agg(integer) rename to agg2;
CREATE OR REPLACE FUNCTION s.f(a text)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$select 1$function$;

-- functions change names
create function f() returns int language sql as 'select 1';
create function g() returns int language sql as 'select 2';
create view v as select f(), g();
-- change
alter function f() rename to h;
alter function g() rename to f;
alter function h() rename to g;
----
alter routine public.f() rename to bridge_1;
alter routine public.g() rename to f;
alter routine public.bridge_1() rename to g;

-- functions with row types
create table t (a int, b text);
create view v as select a from t;
create function f(t) returns int language sql as 'select ($1).a';
create function fv(v) returns int language sql as 'select ($1).a';
create function g() returns setof t language sql as 'select * from public.t';
create function gv() returns setof v language sql as 'select * from public.v';
comment on function fv(v) is 'x';
insert into t values (1, 'x');
-- change
alter table t rename a to aa;
alter table t add c int;
drop view v cascade;
create view v as select aa, c from t;
create function fv(v) returns int language sql as 'select ($1).aa';
----
drop routine public.gv();
drop routine public.fv(public.v);
drop view public.v;
alter table public.t rename column a to aa;
alter table public.t add column c integer;
create view public.v as
SELECT t.aa,
    t.c
   FROM public.t;
CREATE OR REPLACE FUNCTION public.fv(public.v)
 RETURNS integer
 LANGUAGE sql
AS $function$select ($1).aa$function$;

-- a function's row type is renamed
create table t (a int, b text);
create function f(x t) returns t language sql as 'select $1';
create view v as select f(t) from t;
insert into t values (1, 'x');
-- change
alter table t rename to t2;
----
alter table public.t rename to t2;

-- a table is dropped whose type a function had
create table t (a int);
create function f(t) returns int language sql as 'select 1';
create table u (a int default 5);
-- change
drop table t cascade;
create table t (a text);
create function f(t) returns int language sql as 'select 2';
alter table u alter a set default f(null);
----
drop routine public.f(public.t);
drop table public.t;
create table public.t (
	a text
);
CREATE OR REPLACE FUNCTION public.f(public.t)
 RETURNS integer
 LANGUAGE sql
AS $function$select 2$function$;
alter table only public.u alter column a set default public.f(NULL::public.t);

-- functions with bodies that are parsed
create table t (a int, b int);
create function f() returns bigint begin atomic select sum(a) from public.t; end;
create function g(int) returns int language sql return $1 + 1;
create function h() returns int language sql return g(1);
insert into t values (1, 2);
-- change
alter table t rename a to aa;
create or replace function f() returns bigint begin atomic select sum(b + aa) from public.t; end;
alter function g(int) rename to gg;
----
alter routine public.g(integer) rename to gg;
alter table public.t rename column a to aa;
CREATE OR REPLACE FUNCTION public.f()
 RETURNS bigint
 LANGUAGE sql
BEGIN ATOMIC
 SELECT sum((t.b + t.aa)) AS sum
    FROM public.t;
END;

-- a function lets go of a table that is dropped
create table t (a int);
create table u (a int);
create function f() returns bigint begin atomic select sum(a) from public.t; end;
-- change
create or replace function f() returns bigint begin atomic select sum(a) from public.u; end;
drop table t;
----
CREATE OR REPLACE FUNCTION public.f()
 RETURNS bigint
 LANGUAGE sql
BEGIN ATOMIC
 SELECT sum(u.a) AS sum
    FROM public.u;
END;
drop table public.t;

-- a function lets go of a table that is replaced
create table t (a int primary key);
create function f() returns bigint begin atomic select sum(a) from public.t; end;
insert into t values (1);
-- change
alter table t rename to told;
create table t (b int primary key);
create or replace function f() returns bigint begin atomic select sum(b) from public.t; end;
drop table told;
----
alter table public.t drop constraint t_pkey;
alter table public.t rename to bridge_1;
create table public.t (
	b integer not null
);
CREATE OR REPLACE FUNCTION public.f()
 RETURNS bigint
 LANGUAGE sql
BEGIN ATOMIC
 SELECT sum(t.b) AS sum
    FROM public.t;
END;
alter table only public.t add constraint t_pkey1 PRIMARY KEY (b);
drop table public.bridge_1;

-- triggers
create table t (a int, b int);
create table u (a int);
create function f() returns trigger language plpgsql as 'begin return new; end';
create function g() returns trigger language plpgsql as 'begin return new; end';
create trigger t1 before insert on t for each row execute function f();
create trigger t2 before update of b on t for each row when (new.b > 0) execute function f();
create constraint trigger t3 after insert on t deferrable for each row execute function f();
create trigger t4 after insert on t referencing new table as n for each statement execute function f();
alter table t disable trigger t4;
alter table t enable always trigger t1;
comment on trigger t1 on t is 'x';
-- change
alter trigger t1 on t rename to t5;
drop trigger t2 on t;
create trigger t2 before update of a on t for each row execute function g();
alter table t enable trigger t4;
alter table t disable trigger t3;
alter function f() rename to ff;
create trigger t1 before insert on u for each row execute function g();
----
drop trigger t4 on public.t;
drop trigger t3 on public.t;
drop trigger t2 on public.t;
drop trigger t1 on public.t;
alter routine public.f() rename to ff;
CREATE TRIGGER t2 BEFORE UPDATE OF a ON public.t FOR EACH ROW EXECUTE FUNCTION public.g();
CREATE CONSTRAINT TRIGGER t3 AFTER INSERT ON public.t DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW EXECUTE FUNCTION public.ff();
alter table public.t disable trigger t3;
CREATE TRIGGER t4 AFTER INSERT ON public.t REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION public.ff();
CREATE TRIGGER t5 BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.ff();
alter table public.t enable always trigger t5;
CREATE TRIGGER t1 BEFORE INSERT ON public.u FOR EACH ROW EXECUTE FUNCTION public.g();
comment on trigger t5 on public.t is 'x';

-- a trigger is made always
create table t (a int);
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger t1 before insert on t for each row execute function f();
-- change
alter table t enable always trigger t1;
----
drop trigger t1 on public.t;
CREATE TRIGGER t1 BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.f();
alter table public.t enable always trigger t1;

-- aggregates and operators
create function add(int, int) returns int language sql immutable as 'select $1 + $2';
create function lt(int, int) returns bool language sql immutable as 'select $1 < $2';
create aggregate mysum(int) (sfunc = add, stype = int, initcond = '0');
create operator @+ (leftarg = int, rightarg = int, function = add);
create operator <<<< (leftarg = int, rightarg = int, function = lt, commutator = >>>>);
create operator >>>> (leftarg = int, rightarg = int, function = lt, commutator = <<<<);
create view v as select mysum(1), 1 operator(public.@+) 2;
comment on operator @+ (int, int) is 'plus';
comment on aggregate mysum(int) is 'sum';
-- change
create or replace aggregate mysum(int) (sfunc = add, stype = int, initcond = '1');
alter operator <<<< (int, int) set (restrict = scalarltsel);
create operator @++ (leftarg = int, rightarg = int, function = add, commutator = @++);
drop operator >>>> (int, int);
----
drop operator public.>>>>(integer, integer);
drop operator public.<<<<(integer, integer);
create operator public.<<<< (function = public.lt, leftarg = integer, rightarg = integer, restrict = scalarltsel);
create operator public.@++ (function = public.add, leftarg = integer, rightarg = integer, commutator = operator(public.@++));
create or replace aggregate public.mysum(integer) (sfunc = public.add, stype = integer, initcond = '1');

-- operator classes and families
create function c(text, text) returns int language sql immutable as 'select 0';
create operator family fam using btree;
create operator class cls for type text using btree family fam as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 c(text, text);
create operator family fam2 using btree;
create function ic(int, bigint) returns int language sql immutable as 'select 0';
alter operator family fam2 using btree add function 1 (int, bigint) ic(int, bigint);
create table t (a text);
create index on t (a cls);
insert into t values ('x');
-- change
alter operator class cls using btree rename to cls2;
alter operator family fam using btree rename to fam3;
alter operator family fam2 using btree drop function 1 (int, bigint);
alter operator family fam2 using btree add function 1 (int, bigint) btint48cmp(int, bigint), operator 1 < (int, bigint);
----
alter operator family public.fam2 using btree drop function 1 (integer, bigint);
alter operator family public.fam using btree rename to fam3;
alter operator class public.cls using btree rename to cls2;
alter operator family public.fam2 using btree add operator 1 <(integer,bigint), function 1 (integer, bigint) btint48cmp(integer,bigint);

-- casts
create type pair as (a int);
create function p(int) returns pair language sql immutable as 'select row($1)::public.pair';
create cast (int as pair) with function p(int);
create table t (a pair default 1::pair);
comment on cast (int as pair) is 'c';
-- change
drop cast (int as pair) cascade;
create cast (int as pair) with function p(int) as assignment;
alter table t alter a set default 2::pair;
----
drop cast (integer as public.pair);
create cast (integer as public.pair) with function public.p(integer) as assignment;
alter table only public.t alter column a set default (2)::public.pair;

-- full text search
create text search dictionary d1 (template = simple, stopwords = 'english', accept = false);
create text search dictionary d2 (template = snowball, language = 'german');
create text search configuration cfg (parser = "default");
alter text search configuration cfg add mapping for asciiword, word with d1, d2;
alter text search configuration cfg add mapping for int with simple;
create table t (a text);
create index on t using gin (to_tsvector('cfg', a));
create text search configuration cfg2 (copy = english);
comment on text search configuration cfg is 'c';
insert into t values ('x');
-- change
alter text search dictionary d1 (stopwords, accept = true);
alter text search dictionary d2 rename to d3;
alter text search configuration cfg drop mapping for int;
alter text search configuration cfg alter mapping for word with simple;
alter text search configuration cfg add mapping for float with simple;
alter text search configuration cfg2 rename to cfg3;
----
alter text search dictionary public.d2 rename to d3;
alter text search configuration public.cfg2 rename to cfg3;
alter text search dictionary public.d1 (accept = 'true', stopwords);
alter text search configuration public.cfg drop mapping for "int";
alter text search configuration public.cfg drop mapping for word;
alter text search configuration public.cfg add mapping for "float" with simple;
alter text search configuration public.cfg add mapping for word with simple;
