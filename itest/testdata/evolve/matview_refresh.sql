-- before
create table t (id int primary key, v text);
insert into t select i, 'v' || i % 3 from generate_series(1, 30) i;
create materialized view m as select v, count(*) as n from t group by v;
-- change
insert into t values (100, 'v0');
refresh materialized view m;
