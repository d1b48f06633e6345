-- before
create table t (id int primary key, a int, b text, c date);
insert into t values (1, 10, 'x', '2020-01-01');
-- change
begin;
alter table t rename a to tmp;
alter table t rename c to a;
alter table t rename b to c;
alter table t rename tmp to b;
commit;
insert into t (id, a, b, c) values (2, '2021-01-01', 5, 'y');
