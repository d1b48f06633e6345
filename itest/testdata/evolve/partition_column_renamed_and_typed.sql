-- before
create table t (id int primary key, v int) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
insert into t values (1, 1);
-- change
alter table t rename v to w;
alter table t alter w type text;
insert into t values (2, 'c');
