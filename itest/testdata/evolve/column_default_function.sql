-- before
create function f() returns int language sql as 'select 42';
create table t (id int primary key, a int);
-- change
alter table t alter a set default f();
insert into t values (1);
