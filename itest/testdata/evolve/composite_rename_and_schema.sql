-- before
create schema app;
create type pair as (a int, b text);
create table t (id int primary key, p pair);
insert into t values (1, '(1,x)');
-- change
alter type pair rename to two;
alter type two set schema app;
insert into t values (2, '(2,y)');
