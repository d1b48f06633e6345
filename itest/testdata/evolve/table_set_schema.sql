-- before
create schema app;
create table t (id serial primary key, v text);
create index on t (v);
insert into t (v) values ('a');
-- change
alter table t set schema app;
insert into app.t (v) values ('b');
