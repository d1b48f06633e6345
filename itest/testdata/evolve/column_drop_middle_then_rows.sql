-- before
create table t (a int, b int, c int, d int, e int primary key);
insert into t select i, i, i, i, i from generate_series(1, 20) i;
-- change
alter table t drop b;
alter table t drop d;
alter table t add f int;
update t set c = -c, f = 1 where e < 5;
insert into t values (1, 2, 100, 3);
