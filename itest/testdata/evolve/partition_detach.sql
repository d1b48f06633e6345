-- before
create table t (id int primary key, v text) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
create table t_2 partition of t for values from (100) to (200);
create index on t (v);
insert into t values (1, 'a'), (101, 'b');
-- change
alter table t detach partition t_2;
insert into t_2 values (500, 'free');
insert into t values (2, 'c');
drop table t_2;
