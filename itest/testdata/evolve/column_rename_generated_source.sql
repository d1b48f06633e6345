-- before
create table t (id int primary key, a int, g int generated always as (a * 2) stored, check (a > 0));
insert into t values (1, 1);
-- change
alter table t rename a to base;
alter table t rename g to doubled;
insert into t values (2, 2);
