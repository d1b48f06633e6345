-- before
create table t (id int primary key, a int, b int);
insert into t values (1, 1, 1);
-- change
create statistics st (ndistinct, dependencies) on a, b from t;
create statistics st_mcv (mcv) on a, b from t;
create statistics st_e on (a + b), (a * b) from t;
alter statistics st set statistics 300;
alter statistics st rename to st2;
comment on statistics st2 is 'statistics';
drop statistics st_mcv;
