-- before
create table t (id int primary key, v text);
insert into t values (1, 'a'), (2, 'b');
-- change
update t set v = 'c' where id = 1;
alter table t drop constraint t_pkey;
update t set v = 'd' where id = 2;
insert into t values (1, 'twice');
delete from t where v = 'c';
