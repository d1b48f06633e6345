-- before
create table t (id int primary key, a int);
insert into t select i, i from generate_series(1, 60) i;
-- change
begin;
insert into t values (100, 100);
alter table t alter a type text;
insert into t values (101, 'x');
update t set a = a || '!' where id < 10;
alter table t alter a type varchar(3);
delete from t where id = 20;
commit;
