-- before
create table t (a int, b int);
insert into t values (1, 2);
-- change
alter table t drop a, drop b;
insert into t default values;
