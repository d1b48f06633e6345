-- before
create table t (id int primary key, a int);
create index t_a on t (a) where a > 3;
create view v as select a from t;
insert into t values (1, 1), (5, 5);
-- change
begin;
drop view v;
alter table t alter a type numeric;
create view v as select a from t;
commit;
insert into t values (6, 6.5);
