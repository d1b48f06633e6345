-- before
create table t (id int primary key, a int, b int);
insert into t values (1, 10, 20);
-- change
begin;
alter table t rename a to x;
alter table t rename b to a;
alter table t rename x to b;
update t set a = a + 1;
commit;
insert into t values (2, 30, 40);
