-- before
create table t (id int primary key, v text) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
create table t_2 partition of t for values from (100) to (200);
insert into t values (1, 'a'), (101, 'b');
-- change
alter table t add w int default 5;
alter table t_2 alter w set default 6;
insert into t values (2, 'c', 7);
insert into t_2 (id) values (102);
alter table t drop v;
update t set w = 0;
