-- before
create table t (id int primary key, code text not null, v text);
insert into t select i, 'c' || i, 'v' from generate_series(1, 20) i;
-- change
begin;
update t set v = 'w' where id = 3;
alter table t drop constraint t_pkey, add primary key (code);
update t set v = 'x' where id = 4;
update t set id = 1;
commit;
delete from t where code = 'c7';
