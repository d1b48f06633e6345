-- before
create table t (id int primary key, v text);
insert into t select i, 'v' from generate_series(1, 100) i;
-- change
delete from t where id % 2 = 0;
vacuum full t;
update t set v = 'w' where id = 3;
reindex table t;
