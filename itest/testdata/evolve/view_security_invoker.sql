-- since 15
-- before
create table t (id int primary key, v text);
create view v as select * from t;
-- change
alter view v set (security_invoker = true);
insert into v values (1, 'a');
