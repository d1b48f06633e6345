-- before
create table t (a int, b int, v text, primary key (a, b)) partition by range (a);
create table t_1 partition of t for values from (0) to (10) partition by hash (b);
create table t_1_0 partition of t_1 for values with (modulus 2, remainder 0);
create table t_1_1 partition of t_1 for values with (modulus 2, remainder 1);
insert into t select i % 10, i, 'v' from generate_series(1, 30) i;
-- change
create table t_2 partition of t for values from (10) to (20) partition by list (b);
create table t_2_d partition of t_2 default;
insert into t values (11, 1, 'x');
alter table t add w int;
update t set w = 1 where a = 3;
drop table t_1_0;
