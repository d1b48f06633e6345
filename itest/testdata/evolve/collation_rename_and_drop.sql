-- before
create schema app;
create collation c1 (locale = 'C');
create collation c2 (locale = 'C');
create table t (id int primary key, v text collate c1);
-- change
alter collation c1 rename to plain;
alter collation plain set schema app;
drop collation c2;
insert into t values (1, 'a');
