-- before
create table t (id int primary key, v text);
insert into t values (1, 'a'), (2, 'b');
create materialized view m as select id, v from t;
create index on m (v);
create materialized view m2 as select count(*) as n from m;
create view v as select * from m2;
-- change
alter table t rename v to w;
alter table t add x int;
alter materialized view m rename to mm;
alter materialized view mm rename column v to w;
insert into t values (3, 'c');
refresh materialized view mm;
refresh materialized view m2;
