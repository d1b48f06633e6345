-- before
create function f(a int) returns int language sql as 'select $1';
create table t (id int primary key, n int default f(5));
create index on t (n);
-- change
alter table t alter n drop default;
drop function f(int);
create function f(b int) returns int language sql as 'select b';
alter table t alter n set default f(b => 6);
insert into t values (1);
