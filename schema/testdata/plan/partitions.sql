-- a partition is added
create table m (a int, b text default 'x', primary key (a)) partition by range (a);
create index on m (b);
create table m1 partition of m for values from (1) to (10);
insert into m values (1, 'x');
-- change
create table m2 partition of m for values from (10) to (20);
insert into m values (11, 'x');
----
create table public.m2 (
	a integer not null,
	b text default 'x'::text
);
alter table only public.m2 add constraint m2_pkey PRIMARY KEY (a);
CREATE INDEX m2_b_idx ON public.m2 USING btree (b);
alter table only public.m attach partition public.m2 FOR VALUES FROM (10) TO (20);
alter index public.m_pkey attach partition public.m2_pkey;
alter index public.m_b_idx attach partition public.m2_b_idx;

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
alter table only public.m2 add constraint m2_pkey PRIMARY KEY (a);
CREATE INDEX m2_b_idx ON public.m2 USING btree (b);
alter table only public.m attach partition public.m2 FOR VALUES FROM (10) TO (20);
alter index public.m_pkey attach partition public.m2_pkey;
alter index public.m_b_idx attach partition public.m2_b_idx;

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
alter table only public.m attach partition public.x FOR VALUES FROM (10) TO (20);
alter index public.m_pkey attach partition public.x_pkey;
alter index public.mb attach partition public.xb;

-- a partition is detached
create table m (a int not null primary key, b text default 'x', check (a > 0)) partition by range (a);
create index on m (b);
create table m1 partition of m for values from (1) to (10);
insert into m values (1, 'x');
-- change
alter table m detach partition m1;
----
alter table public.m detach partition public.m1;

-- a partition is detached and its parent dropped
create table m (a int not null primary key, b text default 'x', check (a > 0)) partition by range (a);
create index on m (b);
create table m1 partition of m for values from (1) to (10);
insert into m values (1, 'x');
-- change
alter table m detach partition m1;
drop table m;
----
alter table public.m detach partition public.m1;
drop index public.m1_b_idx;
alter table public.m1 drop constraint m1_pkey;
drop table public.m;
alter table only public.m1 add constraint m1_pkey PRIMARY KEY (a);
CREATE INDEX m1_b_idx ON public.m1 USING btree (b);

-- a partition is dropped
create table m (a int not null primary key, b text default 'x', check (a > 0)) partition by range (a);
create table m1 partition of m for values from (1) to (10);
create table m2 partition of m for values from (10) to (20);
-- change
drop table m1;
----
drop table public.m1;

-- a partitioned table is dropped
create table m (a int not null, b text, primary key (a, b)) partition by list (a);
create table b1 partition of m for values in (1) partition by range (b);
create table a1 partition of b1 default;
create table z1 partition of m default;
create table c (a int, b text, foreign key (a, b) references m);
-- change
drop table m cascade;
----
alter table public.c drop constraint c_a_b_fkey;
drop table public.m;

-- a partition's bounds change
create table m (a int) partition by range (a);
create table m1 partition of m for values from (1) to (10);
insert into m values (1);
-- change
alter table m detach partition m1;
alter table m attach partition m1 for values from (1) to (20);
----
alter table public.m detach partition public.m1;
alter table only public.m attach partition public.m1 FOR VALUES FROM (1) TO (20);

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
alter table public.m rename column b to bb;
alter table public.m add column e integer;
alter table public.m add column f text collate "C" not null;
alter table public.m add column g integer generated always as ((d + 1)) stored;
alter table public.m alter column c drop not null;
alter table public.m alter column d set not null;
alter table only public.m alter column e set default 5;
alter table only public.m alter column f set default 'x'::text;
alter table only public.m1 alter column e set default 5;
alter table only public.m1 alter column f set default 'x'::text;
alter table only public.m2 alter column e set default 5;
alter table only public.m2 alter column f set default 'x'::text;

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
alter table public.m drop column b;
alter table public.m alter column c type bigint;
alter table only public.m alter column c set default 6;
alter table only public.m1 alter column c set default 6;

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
drop index public.mb;
alter table public.m drop constraint k;
alter index public.mc rename to mcc;
alter index public.m1_c_idx rename to m1c;
alter table public.m alter column a set not null;
alter table public.m add constraint k2 CHECK ((c > 1));
alter table only public.m add constraint m_pkey PRIMARY KEY (a);
alter table only public.m1 add constraint m1_pkey PRIMARY KEY (a);
CREATE INDEX mb ON ONLY public.m USING btree (lower(b));
CREATE INDEX m1_lower_idx ON public.m1 USING btree (lower(b));
alter table only public.m2 add constraint m2_pkey PRIMARY KEY (a);
alter table only public.m21 add constraint m21_pkey PRIMARY KEY (a);
CREATE INDEX m2_lower_idx ON ONLY public.m2 USING btree (lower(b));
CREATE INDEX m21_lower_idx ON public.m21 USING btree (lower(b));
alter index public.m_pkey attach partition public.m1_pkey;
alter index public.m_pkey attach partition public.m2_pkey;
alter index public.m2_pkey attach partition public.m21_pkey;
alter index public.mb attach partition public.m1_lower_idx;
alter index public.mb attach partition public.m2_lower_idx;
alter index public.m2_lower_idx attach partition public.m21_lower_idx;
alter table public.m add constraint m_a_fkey FOREIGN KEY (a) REFERENCES public.m(a);

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
alter table public.m1 enable trigger t2;
drop trigger t1 on public.m;
CREATE TRIGGER t3 AFTER UPDATE ON public.m FOR EACH ROW EXECUTE FUNCTION public.f();
alter table public.m2 disable trigger t3;

-- a partitioned table with foreign keys loses a partition
create table r (x int primary key);
create table m (a int, b int references r) partition by range (a);
create table m1 partition of m for values from (1) to (10);
create table m2 partition of m for values from (10) to (20);
-- change
alter table m detach partition m1;
----
alter table public.m detach partition public.m1;

-- a table with a foreign key becomes a partition
create table r (x int primary key);
create table m (a int, b int references r) partition by range (a);
create table m1 (a int, b int references r);
create table m2 (a int, b int);
-- change
alter table m attach partition m1 for values from (1) to (10);
alter table m attach partition m2 for values from (10) to (20);
----
alter table public.m1 drop constraint m1_b_fkey;
alter table only public.m attach partition public.m1 FOR VALUES FROM (1) TO (10);
alter table only public.m attach partition public.m2 FOR VALUES FROM (10) TO (20);

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
alter table public.m set schema s;
alter table s.m rename to n;
alter table public.m2 set schema s;
alter table s.m2 rename to m1;
alter table public.m1 rename to m2;
alter table s.n rename column a to aa;

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
alter table public.t rename to t_old;
alter index public.t_pkey rename to t_old_pkey;
create table public.t (
	a integer not null,
	b text
)
partition by RANGE (a);
create table public.t_new (
	a integer not null,
	b text
);
alter table only public.t add constraint t_pkey PRIMARY KEY (a);
alter table only public.t_new add constraint t_new_pkey PRIMARY KEY (a);
alter table only public.t attach partition public.t_new FOR VALUES FROM (100) TO (200);
alter table only public.t attach partition public.t_old FOR VALUES FROM (1) TO (100);
alter index public.t_pkey attach partition public.t_new_pkey;
alter index public.t_pkey attach partition public.t_old_pkey;

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
alter table public.m detach partition public.m1;
alter table public.m detach partition public.m2;
alter table only public.m attach partition public.m2 DEFAULT;

-- a partition changes its parent
create table m (a int) partition by list (a);
create table n (a int) partition by list (a);
create table m1 partition of m default;
-- change
alter table m detach partition m1;
alter table n attach partition m1 for values in (1);
----
alter table public.m detach partition public.m1;
alter table only public.n attach partition public.m1 FOR VALUES IN (1);

-- a column with a constant is added to a partitioned table
create table m (a int, b text) partition by range (a);
create table m1 partition of m for values from (1) to (10);
create table m2 partition of m for values from (10) to (20) partition by range (a);
create table m21 partition of m2 for values from (10) to (20);
insert into m values (1, 'x'), (11, 'y');
-- change
alter table m add e int default 5;
alter table m add f text collate "C" not null default 'x';
alter table m alter f drop default;
----
alter table public.m add column e integer default 5;
alter table public.m add column f text collate "C" default 'x'::text not null;
alter table public.m alter column f drop default;
alter table only public.m1 alter column e set default 5;
alter table only public.m2 alter column e set default 5;
alter table only public.m21 alter column e set default 5;

-- a column that is added to a partitioned table is stored otherwise in a partition
create table m (a int, b text) partition by range (a);
create table m1 partition of m for values from (1) to (10);
-- change
alter table m add e text;
alter table m1 alter e set storage external, alter e set statistics 50;
----
alter table public.m add column e text;
alter table only public.m1 alter column e set storage external;
alter table only public.m1 alter column e set statistics 50;

-- a partitioned table that refers to itself is dropped
create table t (a int primary key, b int references t) partition by range (a);
create table t_1 partition of t for values from (minvalue) to (100);
create table t_2 partition of t default;
create view v as select * from t_2;
-- change
drop table t cascade;
----
drop view public.v;
drop table public.t;
