-- before
create table t (id serial primary key, n int generated always as identity, v text);
create view v as select id from t;
create function f(int, out int) language sql as 'select 1';
create type e as enum ('a');
create schema s;
insert into t (v) values ('x');
-- change
alter table t owner to alice;
alter view v owner to bob;
alter function f(int) owner to alice;
alter type e owner to "Dave ""D""";
alter schema s owner to carol;
insert into t (v) values ('y');
-- change
alter table t add column more serial;
create table s.u (a int);
alter table s.u owner to alice;
create procedure s.p() language sql as '';
alter procedure s.p() owner to alice;
create statistics s.st on id, v from t;
alter statistics s.st owner to alice;
alter view v owner to postgres;
insert into t (v) values ('z');
