-- the expression of a generated column
create table t (a int, g int generated always as (a + 1) stored);
-- change
alter table t alter g set expression as (a + 2);
alter table t alter a set default 3;
----
alter table public.t alter column g set expression as ((a + 2));
alter table only public.t alter column a set default 3;

-- identity of partitions
create table m (a int generated always as identity, b int) partition by range (b);
create table m1 partition of m for values from (1) to (10);
create table m2 (a int not null, b int);
-- change
alter table m attach partition m2 for values from (10) to (20);
alter table m detach partition m1;
----
alter table public.m detach partition public.m1;
alter table only public.m attach partition public.m2 FOR VALUES FROM (10) TO (20);
