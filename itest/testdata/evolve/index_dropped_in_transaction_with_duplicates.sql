-- before
create table t (id int primary key, a int unique);
insert into t values (1, 1), (2, 2);
-- change
begin;
alter table t drop constraint t_a_key;
update t set a = 1;
insert into t values (3, 1);
delete from t where id in (1, 2);
alter table t add unique (a);
commit;
