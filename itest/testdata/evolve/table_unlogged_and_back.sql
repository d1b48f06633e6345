-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
alter table t set unlogged;
insert into t values (2, 'b');
alter table t set logged;
insert into t values (3, 'c');
