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

-- views change names
create table t (a int);
create view v as select a from t;
create view w as select a + 1 as a from t;
create view x as select * from v union all select * from w;
-- change
alter view v rename to y; alter view w rename to v; alter view y rename to w;
----

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

-- a materialized view is refreshed
create table t (a int);
create materialized view m as select a from t with no data;
create materialized view n as select a from t;
-- change
refresh materialized view m;
refresh materialized view n with no data;
----

-- settings of materialized views
create table t (a int, b text);
create materialized view m with (fillfactor = 60) as select a, b from t;
create unique index mi on m (a);
-- change
alter materialized view m set (fillfactor = 70);
alter materialized view m alter b set statistics 50;
alter materialized view m cluster on mi;
----

-- a column of a table under a view is renamed
create table t (a int, b int);
create view v as select a, b from t;
create materialized view m as select a from v;
insert into t values (1, 2);
-- change
alter table t rename b to c;
----

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

-- a rule's table is renamed
create table t (a int);
create table l (a int);
create rule r1 as on insert to t do also insert into l values (new.a);
-- change
alter table l rename to log;
alter table t rename a to b;
----

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

-- the same, dropped
create table t (a int);
create view v as select a from t;
create function f(v) returns int language sql as 'select 1';
create or replace view v as select a from t where f(null) = 1;
-- change
drop view v cascade;
----

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

-- a recursive view, windows, lateral
create table t (a int, p int);
create recursive view r (n) as select a from t union all select n + 1 from r where n < 5;
create view w as select a, row_number() over (partition by p) from t;
insert into t values (1, 1);
-- change
alter table t alter p set default 1;
alter table t add q int;
----

-- a temporary name of ours is taken
create table bridge_1 (a int); create table t (a int); create table u (b int);
-- change
alter table t rename to x; alter table u rename to t; alter table x rename to u;
----
