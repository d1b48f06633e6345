-- before
create table t (id int primary key, a int);
create view v as select id, a from t;
create view w as select a from v;
insert into t values (1, 1);
-- change
alter table t drop a cascade;
insert into t values (2);
