-- before
create schema app;
create type e as enum ('a', 'b');
create table t (id int primary key, m e default 'a');
-- change
alter type e set schema app;
insert into t values (1);
