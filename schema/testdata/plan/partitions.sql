-- a partition is added
create table m (a int, b text default 'x', primary key (a)) partition by range (a);
create index on m (b);
create table m1 partition of m for values from (1) to (10);
insert into m values (1, 'x');
-- change
create table m2 partition of m for values from (10) to (20);
insert into m values (11, 'x');
----

-- a partition is attached
create table m (a int not null, b text default 'x', check (a > 0)) partition by range (a);
alter table m add primary key (a);
create index on m (b);
create table m1 partition of m for values from (1) to (10);
create table m2 (b text, a int not null, check (a > 5), constraint m_a_check check (a > 0));
insert into m2 values ('q', 15);
-- change
alter table m attach partition m2 for values from (10) to (20);
----

-- a partition with indexes is attached
create table m (a int not null, b text) partition by range (a);
create index mb on m (b);
alter table m add primary key (a);
create table x (a int not null primary key, b text);
create index xb on x (b);
insert into x values (15, 'q');
-- change
alter table m attach partition x for values from (10) to (20);
----

-- a partition is detached
create table m (a int not null primary key, b text default 'x', check (a > 0)) partition by range (a);
create index on m (b);
create table m1 partition of m for values from (1) to (10);
insert into m values (1, 'x');
-- change
alter table m detach partition m1;
----

-- a partition is detached and its parent dropped
create table m (a int not null primary key, b text default 'x', check (a > 0)) partition by range (a);
create index on m (b);
create table m1 partition of m for values from (1) to (10);
insert into m values (1, 'x');
-- change
alter table m detach partition m1;
drop table m;
----

-- a partition is dropped
create table m (a int not null primary key, b text default 'x', check (a > 0)) partition by range (a);
create table m1 partition of m for values from (1) to (10);
create table m2 partition of m for values from (10) to (20);
-- change
drop table m1;
----

-- a partitioned table is dropped
create table m (a int not null, b text, primary key (a, b)) partition by list (a);
create table b1 partition of m for values in (1) partition by range (b);
create table a1 partition of b1 default;
create table z1 partition of m default;
create table c (a int, b text, foreign key (a, b) references m);
-- change
drop table m cascade;
----

-- a partition's bounds change
create table m (a int) partition by range (a);
create table m1 partition of m for values from (1) to (10);
insert into m values (1);
-- change
alter table m detach partition m1;
alter table m attach partition m1 for values from (1) to (20);
----

-- columns of a partitioned table
create table m (a int, b text, c int not null, d int) partition by range (a);
create table m1 partition of m for values from (1) to (10);
create table m2 (d int, c int not null, b text, a int);
alter table m attach partition m2 for values from (10) to (20);
insert into m values (1, 'x', 2, 3), (11, 'y', 2, 3);
-- change
alter table m add e int default 5;
alter table m rename b to bb;
alter table m alter c drop not null, alter d set not null;
alter table m add f text collate "C" not null default 'x';
alter table m add g int generated always as (d + 1) stored;
----

-- a column of a partitioned table is dropped, another changes its type
create table m (a int, b text, c int) partition by range (a);
create table m1 partition of m for values from (1) to (10);
create index on m (c);
insert into m values (1, 'x', 2);
-- change
alter table m drop b;
alter table m alter c type bigint;
alter table m1 alter c set default 5;
alter table m alter c set default 6;
----

-- indexes and constraints of a partitioned table
create table m (a int, b text, c int, constraint k check (c > 0)) partition by range (a);
create table m1 partition of m for values from (1) to (10);
create table m2 partition of m for values from (10) to (20) partition by range (a);
create table m21 partition of m2 for values from (10) to (15);
create index mb on m (b);
create index mc on m (c);
insert into m values (1, 'x', 2), (11, 'y', 3);
-- change
drop index mb;
create index mb on m (lower(b));
alter table m add primary key (a);
alter table m drop constraint k, add constraint k2 check (c > 1);
alter table m add foreign key (a) references m (a);
alter index mc rename to mcc;
alter index m1_c_idx rename to m1c;
----

-- triggers of a partitioned table
create table m (a int) partition by range (a);
create table m1 partition of m for values from (1) to (10);
create table m2 partition of m for values from (10) to (20);
create function f() returns trigger language plpgsql as 'begin return new; end';
create trigger t1 after insert on m for each row execute function f();
create trigger t2 after insert on m for each row execute function f();
alter table m1 disable trigger t2;
-- change
drop trigger t1 on m;
alter table m1 enable trigger t2;
create trigger t3 after update on m for each row execute function f();
alter table m2 disable trigger t3;
----

-- a partitioned table with foreign keys loses a partition
create table r (x int primary key);
create table m (a int, b int references r) partition by range (a);
create table m1 partition of m for values from (1) to (10);
create table m2 partition of m for values from (10) to (20);
-- change
alter table m detach partition m1;
----

-- a table with a foreign key becomes a partition
create table r (x int primary key);
create table m (a int, b int references r) partition by range (a);
create table m1 (a int, b int references r);
create table m2 (a int, b int);
-- change
alter table m attach partition m1 for values from (1) to (10);
alter table m attach partition m2 for values from (10) to (20);
----

-- names change throughout a partition tree
create schema s;
create table m (a int primary key, b text) partition by range (a);
create table m1 partition of m for values from (1) to (10);
create table m2 partition of m for values from (10) to (20);
create index on m (b);
insert into m values (1, 'x');
-- change
alter table m1 rename to x; alter table m2 rename to m1; alter table x rename to m2;
alter table m set schema s;
alter table m1 set schema s;
alter table s.m rename a to aa;
alter table s.m rename to n;
----

-- a table becomes partitioned by being replaced
create table t (a int primary key, b text);
insert into t values (1, 'x');
-- change
alter table t rename to t_old;
alter table t_old rename constraint t_pkey to t_old_pkey;
create table t (a int primary key, b text) partition by range (a);
create table t_new partition of t for values from (100) to (200);
alter table t attach partition t_old for values from (1) to (100);
----

-- a default partition becomes another
create table m (a int) partition by list (a);
create table m1 partition of m default;
create table m2 partition of m for values in (1);
insert into m values (1), (2);
-- change
alter table m detach partition m1;
alter table m detach partition m2;
alter table m attach partition m2 default;
----

-- a partition changes its parent
create table m (a int) partition by list (a);
create table n (a int) partition by list (a);
create table m1 partition of m default;
-- change
alter table m detach partition m1;
alter table n attach partition m1 for values in (1);
----
