-- before
create table t (id int primary key, v text);
create view v as select id, v from t;
-- change
alter view v rename column v to value;
alter view v alter column value set default 'x';
alter view v set (security_barrier = true, check_option = local);
insert into v (id) values (1);
alter view v reset (check_option);
alter view v alter column value drop default;
