-- before
create schema app;
create function f(a int) returns int language sql as 'select a';
create table t (id int primary key, v int default f(3));
-- change
alter function f strict immutable leakproof cost 3 set search_path = 'public';
alter function f rename to g;
alter function g set schema app;
alter function app.g reset all;
insert into t values (1);
