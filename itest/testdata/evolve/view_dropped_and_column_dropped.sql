-- before
create table t (id int primary key, v text, w text);
create view v as select v from t;
create view v2 as select * from v;
insert into t values (1, 'a', 'b');
-- change
drop view v2, v;
alter table t drop v;
create view v as select w as v from t;
insert into t values (2, 'c');
