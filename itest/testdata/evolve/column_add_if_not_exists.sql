-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
alter table t add if not exists v int, add if not exists w int default 1;
insert into t values (2, 'b', 2);
