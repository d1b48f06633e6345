-- since 18
-- before
create table t (id int primary key, a int);
insert into t values (1, 1), (2, 2);
-- change
alter table t add g int generated always as (a + 1) virtual;
insert into t values (3, 3);
