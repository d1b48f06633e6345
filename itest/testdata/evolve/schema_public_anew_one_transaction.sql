-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change at once
drop schema public cascade;
create schema public;
set search_path = public;
create table t (id int primary key, v text);
insert into t values (1, 'new');
alter table t add w int default 4;
insert into t values (2, 'newer');
