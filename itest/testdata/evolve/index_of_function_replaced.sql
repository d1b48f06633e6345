-- before
create function f(int) returns int language sql immutable as 'select $1';
create table t (id int primary key, a int);
create index on t (f(a));
insert into t values (1, 1);
-- change
create or replace function f(int) returns int language sql immutable as 'select $1 + 1';
insert into t values (2, 2);
