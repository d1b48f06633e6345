-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
create materialized view m as select * from t;
create view over_m as select * from m;
-- change
insert into t values (2, 'b');
refresh materialized view m with no data;
