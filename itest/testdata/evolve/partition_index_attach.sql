-- before
create table t (id int, v text) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
create table t_2 partition of t for values from (100) to (200);
insert into t values (1, 'a');
-- change
create index t_v on only t (v);
create index a on t_1 (v);
create index b on t_2 (v);
alter index t_v attach partition a;
alter index t_v attach partition b;
insert into t values (101, 'b');
drop index t_v;
