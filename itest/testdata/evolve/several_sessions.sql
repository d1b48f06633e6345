-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
alter table t add a int;
-- change
insert into t values (2, 'b', 1);
-- change
alter table t add b int;
insert into t values (3, 'c', 2, 3);
