-- before
create schema a;
create table a.t (id serial primary key, v text);
create view a.v as select * from a.t;
create type a.mood as enum ('x');
create function a.f() returns bigint language sql begin atomic select count(*) from a.t; end;
insert into a.t (v) values ('a');
-- change
alter schema a rename to b;
insert into b.t (v) values ('b');
create schema a;
create table a.t (id text primary key);
insert into a.t values ('x');
