-- before
create schema "Strange Schema";
set search_path = "Strange Schema";
create table t (id int primary key);
insert into t values (1);
-- change
set search_path = "Strange Schema";
alter table t add v text default 'x';
insert into t values (2, 'y');
drop schema public;
create schema public;
create table public.t (id int primary key);
