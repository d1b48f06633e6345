-- before
create table t (id int primary key, v text);
-- change
begin;
insert into t select i, repeat('x', 100) from generate_series(1, 20000) i;
alter table t add n int default 3;
update t set n = 4 where id % 10 = 0;
alter table t alter n type bigint;
delete from t where id % 3 = 0;
commit;
