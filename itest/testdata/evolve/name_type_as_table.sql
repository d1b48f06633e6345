-- before
create table t (id int primary key);
create type mood as enum ('a');
-- change
alter type mood rename to feeling;
create table mood (id int primary key, f feeling);
insert into mood values (1, 'a');
drop table t;
create type t as enum ('x');
create table u (id int primary key, t t[]);
insert into u values (1, '{x}');
