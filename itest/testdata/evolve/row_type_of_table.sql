-- before
create table base (id int primary key, v text);
create table t (id int primary key, b base);
create function f() returns setof base language sql as 'select * from base';
insert into t values (1, row(1, 'x')::base);
-- change
alter table base add w int;
insert into t values (2, row(2, 'y', 3)::base);
alter table base rename to basis;
