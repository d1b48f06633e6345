-- before
create table t (id int primary key, v int);
insert into t values (1, 1), (2, 2);
create materialized view m as select v from t;
-- change
begin;
drop materialized view m;
alter table t alter v type bigint;
create materialized view m as select v, id from t;
create unique index on m (id);
commit;
