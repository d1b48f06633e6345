-- before
create table t (id int primary key, a int, g int generated always as (a + 1) stored);
insert into t (id, a) values (1, 1);
-- change
alter table t alter g type bigint;
insert into t (id, a) values (2, 2);
