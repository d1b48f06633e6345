-- not null constraints
create table t (a int, b int not null, c int, d int constraint dd not null);
alter table t add constraint cn not null c not valid;
comment on constraint dd on t is 'd';
insert into t values (1, 2, 3, 4);
-- change
alter table t validate constraint cn;
alter table t alter a set not null;
alter table t add constraint x not null a;
alter table t alter b drop not null;
alter table t add e int constraint en not null default 5;
comment on constraint en on t is 'e';
----

-- a not valid not null is added
create table t (a int);
insert into t values (1);
-- change
alter table t add constraint n not null a not valid;
----

-- virtual columns
create table t (a int, v int generated always as (a + 1) virtual, w int generated always as (a * 2) virtual);
insert into t values (1);
-- change
alter table t alter v set expression as (a + 2);
alter table t drop w;
alter table t add x int generated always as (a * 3);
----

-- not enforced
create table t (a int primary key, b int, constraint k check (b > 0) not enforced, constraint f foreign key (b) references t not enforced);
alter table t add constraint g foreign key (b) references t;
insert into t values (1, 1);
-- change
alter table t alter constraint f enforced;
alter table t alter constraint g not enforced;
alter table t drop constraint k;
alter table t add constraint k2 check (b > 1) not enforced;
----

-- without overlaps
create extension btree_gist;
create table t (a int, d daterange, primary key (a, d without overlaps));
insert into t values (1, '[2024-01-01,2025-01-01)');
-- change
create table u (a int, d daterange, foreign key (a, period d) references t (a, period d));
alter table t rename d to dd;
----

-- inherit of not null and checks
create table p (a int not null, b int, constraint k check (b > 0));
create table q () inherits (p);
alter table p add constraint bn not null b no inherit;
-- change
alter table p alter constraint bn inherit;
alter table p alter a drop not null;
----
