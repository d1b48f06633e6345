-- before
create schema app;
create type mood as enum ('a', 'b');
create type app.mood as enum ('x', 'y');
create table t (id int primary key, m mood, n app.mood);
insert into t values (1, 'a', 'x');
-- change
alter type app.mood add value 'z';
alter type mood rename value 'b' to 'bb';
insert into t values (2, 'bb', 'z');
