-- before
create function f(int) returns int language sql as 'select 1';
create table t (id int primary key default f(1), v text);
-- change
create or replace function f(int) returns int language sql immutable cost 50 as 'select 2';
insert into t (v) values ('a');
comment on function f is 'two';
