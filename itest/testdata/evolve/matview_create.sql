-- before
create table t (id int primary key, v text);
insert into t select i, 'v' || i % 3 from generate_series(1, 30) i;
-- change
create materialized view m as select v, count(*) as n from t group by v;
create unique index on m (v);
create materialized view empty_one as select * from t with no data;
insert into t values (100, 'v0');
