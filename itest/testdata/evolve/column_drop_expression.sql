-- before
create table t (id int primary key, a int, g int generated always as (a + 1) stored);
insert into t (id, a) values (1, 1), (2, 2);
-- change
alter table t alter g drop expression;
insert into t values (3, 3, 99);
update t set g = 0 where id = 1;
