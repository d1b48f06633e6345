-- before
create schema app;
create table t (id int primary key);
create view v as select * from t;
create view w as select * from v;
-- change
alter view v set schema app;
insert into t values (1);
