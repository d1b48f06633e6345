-- before
create table t (id int primary key, a int not null);
insert into t select i, i from generate_series(1, 20) i;
-- change
alter table t drop constraint t_pkey, add constraint t_pkey primary key (a, id);
update t set id = id + 100 where a = 5;
delete from t where a = 6;
