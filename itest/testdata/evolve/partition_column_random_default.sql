-- before
create table t (id int primary key, v int) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
create table t_2 partition of t for values from (100) to (200);
insert into t select i, i from generate_series(1, 150) i;
-- change
alter table t add u uuid default gen_random_uuid();
insert into t values (151, 1);
update t set v = 0 where id = 5;
