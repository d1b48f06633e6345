-- before
create function f(int) returns int language sql immutable as 'select $1 * 2';
create table t (id int primary key, a int);
insert into t values (1, 1);
-- change
alter table t add g int generated always as (f(a)) stored;
insert into t (id, a) values (2, 2);
