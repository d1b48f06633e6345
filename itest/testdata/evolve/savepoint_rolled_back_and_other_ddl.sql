-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
begin;
savepoint s;
alter table t drop v;
insert into t values (2);
rollback to s;
alter table t add w text;
insert into t values (3, 'c', 'w');
savepoint s2;
alter table t rename w to x;
insert into t (id, x) values (4, 'x');
release s2;
savepoint s3;
drop table t;
rollback to s3;
update t set v = 'z' where id = 1;
commit;
