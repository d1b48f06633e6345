-- before
create table t (id int primary key, v text);
-- change at once
insert into t values (1, 'a');
alter table t add w int default 1;
insert into t values (2, 'b', 2);
create table u as select * from t;
alter table t drop v;
insert into t values (3, 3);
