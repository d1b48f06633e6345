-- before
create table t (id int primary key, v text);
insert into t select i, 'v' from generate_series(1, 5) i;
-- change
alter table t drop constraint t_pkey, add primary key (id) deferrable;
update t set v = 'w' where id = 2;
delete from t where id = 3;
