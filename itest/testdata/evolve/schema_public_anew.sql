-- before
create table t (id int primary key, v text);
create type mood as enum ('a');
create table u (id int primary key, m mood, t int references t);
create view v as select * from u;
insert into t values (1, 'a');
insert into u values (1, 'a', 1);
-- change
drop schema public cascade;
create schema public;
create type mood as enum ('a', 'b');
create table t (id int primary key, v text);
create table u (id int primary key, m mood, t int references t);
create view v as select * from u;
insert into t values (2, 'b');
insert into u values (2, 'b', 2);
