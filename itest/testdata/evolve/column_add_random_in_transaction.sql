-- before
create table t (id int primary key, v text);
insert into t select i, 'v' from generate_series(1, 100) i;
-- change
begin;
update t set v = 'before' where id < 10;
alter table t add r float8 default random();
update t set v = 'after' where id between 5 and 15;
delete from t where id = 50;
insert into t values (1000, 'new');
commit;
