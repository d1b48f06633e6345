-- since 17
-- before
create table t (id int primary key, a int, g int generated always as (a + 1) stored);
insert into t (id, a) values (1, 1), (2, 2);
-- change
alter table t alter g set expression as (a * 100);
insert into t (id, a) values (3, 3);
