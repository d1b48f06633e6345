-- before
create schema app;
create table t (id int primary key);
insert into t values (1);
-- change
begin;
alter table t set schema app;
create table t (id text primary key);
insert into t values ('x');
insert into app.t values (2);
commit;
