-- before
create table t (id int primary key, v text, n int);
create view v as select id, v from t;
create view w as select * from v;
insert into t values (1, 'a', 2);
-- change
create or replace view v as select id, v, n from t where n > 0;
insert into t values (2, 'b', 3);
