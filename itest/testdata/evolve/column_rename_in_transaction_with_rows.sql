-- before
create table t (id int primary key, v text);
insert into t values (1, 'a'), (2, 'b');
-- change
begin;
insert into t values (3, 'c');
alter table t rename v to w;
update t set w = 'x' where id = 3;
alter table t rename w to v;
delete from t where id = 1;
commit;
