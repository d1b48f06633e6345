-- before
-- change
begin;
create table t as select i as id, random() as r from generate_series(1, 100) i;
alter table t add primary key (id);
update t set r = 0 where id = 5;
delete from t where id = 6;
commit;
