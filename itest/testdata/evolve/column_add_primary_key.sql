-- before
create table t (v text);
insert into t select 'v' || i % 7 from generate_series(1, 50) i;
-- change
alter table t add id serial primary key;
update t set v = 'w' where id = 3;
delete from t where id = 4;
