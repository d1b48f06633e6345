-- before
create table t (id int primary key, a int, g int generated always as (a + 1) stored);
insert into t (id, a) values (1, 1);
-- change
alter table t drop g, add g int generated always as (a * 3) stored;
insert into t (id, a) values (2, 2);
