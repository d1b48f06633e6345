-- before
create table t (id int primary key, a int);
insert into t values (1, -1);
-- change
alter table t add constraint positive check (a > 0) not valid;
insert into t values (2, 1);
delete from t where id = 1;
