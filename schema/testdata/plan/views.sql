-- views on views
create table t (a int, b int);
create view a1 as select a, b from t;
create view a2 as select a from a1;
create view a3 as select a + 1 as x from a2;
create materialized view m as select x from a3;
create index mi on m (x);
comment on view a3 is 'three';
comment on column a3.x is 'x';
insert into t values (1, 2);
-- change
create or replace view a1 as select a, b, a + b as c from t;
----
create or replace view public.a1 as
SELECT t.a,
    t.b,
    (t.a + t.b) AS c
   FROM public.t;

-- a view is renamed
create table t (a int);
create view v as select a from t;
create view w as select a from v;
create materialized view m as select a from t;
create index on m (a);
comment on view v is 'v';
-- change
alter view v rename to v2;
alter materialized view m rename to m2;
----
alter view public.v rename to v2;
alter materialized view public.m rename to m2;

-- views change names
create table t (a int);
create view v as select a from t;
create view w as select a + 1 as a from t;
create view x as select * from v union all select * from w;
-- change
alter view v rename to y; alter view w rename to v; alter view y rename to w;
----
alter view public.v rename to bridge_1;
alter view public.w rename to v;
alter view public.bridge_1 rename to w;

-- options and columns of views
create table t (a int, b int);
create view v as select a, b from t;
create view w as select a from t where a > 0;
alter view v alter column a set default 5;
-- change
alter view v set (security_barrier);
alter view v rename a to x;
alter view w set (check_option = local);
alter view w alter column a set default 3;
----
drop view public.v;
create view public.v with (security_barrier='true') as
SELECT t.a AS x,
    t.b
   FROM public.t;
alter view public.v alter column x set default 5;
create or replace view public.w with (check_option='local') as
SELECT t.a
   FROM public.t
  WHERE (t.a > 0);
alter view public.w alter column a set default 3;

-- a view becomes a materialized view and the other way round
create table t (a int);
create view v as select a from t;
create materialized view m as select a from t;
insert into t values (1);
-- change
drop view v; drop materialized view m;
create materialized view v as select a from t;
create view m as select a from t;
----
drop materialized view public.m;
drop view public.v;
create view public.m as
SELECT t.a
   FROM public.t;
create materialized view public.v as
SELECT t.a
   FROM public.t
with no data;
refresh materialized view public.v;

-- a materialized view is refreshed
create table t (a int);
create materialized view m as select a from t with no data;
create materialized view n as select a from t;
-- change
refresh materialized view m;
refresh materialized view n with no data;
----
refresh materialized view public.m;

-- settings of materialized views
create table t (a int, b text);
create materialized view m with (fillfactor = 60) as select a, b from t;
create unique index mi on m (a);
-- change
alter materialized view m set (fillfactor = 70);
alter materialized view m alter b set statistics 50;
alter materialized view m cluster on mi;
----
drop materialized view public.m;
create materialized view public.m with (fillfactor='70') as
SELECT t.a,
    t.b
   FROM public.t
with no data;
alter materialized view public.m alter column b set statistics 50;
CREATE UNIQUE INDEX mi ON public.m USING btree (a);
alter materialized view public.m cluster on mi;
refresh materialized view public.m;

-- a column of a table under a view is renamed
create table t (a int, b int);
create view v as select a, b from t;
create materialized view m as select a from v;
insert into t values (1, 2);
-- change
alter table t rename b to c;
----
alter table public.t rename column b to c;
create or replace view public.v as
SELECT t.a,
    t.c AS b
   FROM public.t;

-- a table under a view is moved
create schema s;
create table t (a int, b int);
create view v as select a, b from t where b in (select a from t);
create materialized view m as select a from v;
insert into t values (1, 2);
-- change
alter table t rename to "T";
alter table "T" set schema s;
----
alter table public.t set schema s;
alter table s.t rename to "T";
create or replace view public.v as
SELECT "T".a,
    "T".b
   FROM s."T"
  WHERE ("T".b IN ( SELECT "T_1".a
           FROM s."T" "T_1"));

-- rules
create table t (a int);
create table l (a int);
create view v as select a from t;
create rule r1 as on insert to t do also insert into l values (new.a);
create rule r2 as on insert to v do instead insert into t values (new.a);
create rule r3 as on delete to t do nothing;
comment on rule r1 on t is 'x';
-- change
alter rule r1 on t rename to r4;
create or replace rule r2 as on insert to v do instead insert into t values (new.a + 1);
drop rule r3 on t;
alter table t disable rule r4;
----
drop rule r2 on public.v;
drop rule r3 on public.t;
drop rule r1 on public.t;
CREATE RULE r4 AS
    ON INSERT TO public.t DO  INSERT INTO public.l (a)
  VALUES (new.a);
alter table public.t disable rule r4;
CREATE RULE r2 AS
    ON INSERT TO public.v DO INSTEAD  INSERT INTO public.t (a)
  VALUES ((new.a + 1));
comment on rule r4 on public.t is 'x';

-- a rule's table is renamed
create table t (a int);
create table l (a int);
create rule r1 as on insert to t do also insert into l values (new.a);
-- change
alter table l rename to log;
alter table t rename a to b;
----
alter table public.l rename to log;
alter table public.t rename column a to b;

-- a view that needs a primary key
create table t (a int primary key, b text);
create view v as select a, b from t group by a;
insert into t values (1, 'x');
-- change
drop view v;
alter table t drop constraint t_pkey;
alter table t add primary key (a, b);
create view v as select a, b from t;
----
drop view public.v;
alter table public.t drop constraint t_pkey;
alter table public.t alter column b set not null;
create view public.v as
SELECT t.a,
    t.b
   FROM public.t;
alter table only public.t add constraint t_pkey PRIMARY KEY (a, b);

-- a view is replaced by one that reads itself
create table t (a int);
create view w as select a from t;
create view v as select a from w;
-- change
create or replace view v as select a from v;
drop view w;
----
drop view public.v;
drop view public.w;
create view public.v as select null::integer as a;
create or replace view public.v as
SELECT v.a
   FROM public.v;

-- a view that reads itself reads something else
create table t (a int);
create view v as select a from t;
create or replace view v as select a from v;
-- change
create or replace view v as select a from t;
----
create or replace view public.v as
SELECT t.a
   FROM public.t;

-- a view that reads itself is dropped
create table t (a int);
create view v as select a from t;
create or replace view v as select a from v;
-- change
drop view v;
----
create or replace view public.v as select null::integer as a;
drop view public.v;

-- a view and a function of its type need each other
create table t (a int);
create view v as select a from t;
create function f(v) returns int language sql as 'select 1';
create or replace view v as select a from t where f(null) = 1;
-- change
drop view v cascade;
create view v as select a + 1 as a from t;
create function f(v) returns int language sql as 'select 1';
create or replace view v as select a + 2 as a from t where f(null) = 1;
----
create or replace view public.v as select null::integer as a;
drop routine public.f(public.v);
drop view public.v;
create view public.v as select null::integer as a;
CREATE OR REPLACE FUNCTION public.f(public.v)
 RETURNS integer
 LANGUAGE sql
AS $function$select 1$function$;
create or replace view public.v as
SELECT (t.a + 2) AS a
   FROM public.t
  WHERE (public.f(NULL::public.v) = 1);

-- the same, dropped
create table t (a int);
create view v as select a from t;
create function f(v) returns int language sql as 'select 1';
create or replace view v as select a from t where f(null) = 1;
-- change
drop view v cascade;
----
create or replace view public.v as select null::integer as a;
drop routine public.f(public.v);
drop view public.v;

-- policies
create table t (a int, b text);
create table u (a int);
create policy p1 on t using (a > 0);
create policy p2 on t for select using (a in (select a from u));
comment on policy p1 on t is 'x';
-- change
alter policy p1 on t rename to p3;
alter policy p2 on t using (a in (select a + 1 from u));
alter table u rename a to aa;
create policy p4 on t as restrictive for insert with check (b <> '');
----
drop policy p2 on public.t;
drop policy p1 on public.t;
alter table public.u rename column a to aa;
create policy p2 on public.t as permissive for select to public using ((a IN ( SELECT (u.aa + 1)
   FROM public.u)));
create policy p3 on public.t as permissive for all to public using ((a > 0));
create policy p4 on public.t as restrictive for insert to public with check ((b <> ''::text));
comment on policy p3 on public.t is 'x';

-- a recursive view, windows, lateral
create table t (a int, p int);
create recursive view r (n) as select a from t union all select n + 1 from r where n < 5;
create view w as select a, row_number() over (partition by p) from t;
insert into t values (1, 1);
-- change
alter table t alter p set default 1;
alter table t add q int;
----
alter table public.t add column q integer;
alter table only public.t alter column p set default 1;

-- a temporary name of ours is taken
create table bridge_1 (a int); create table t (a int); create table u (b int);
-- change
alter table t rename to x; alter table u rename to t; alter table x rename to u;
----
alter table public.t rename to bridge_2;
alter table public.u rename to t;
alter table public.bridge_2 rename to u;
