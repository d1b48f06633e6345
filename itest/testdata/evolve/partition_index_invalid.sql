-- before
create table t (id int, v text) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
-- change
create index t_v on only t (v);
insert into t values (1, 'b');
