-- before
create table t (id int primary key, v text);
insert into t values (1, 'a'), (2, 'b');
-- change
alter table t rename id to key;
update t set v = 'c' where key = 1;
delete from t where key = 2;
