-- before
create table t (id int primary key, v text);
-- change
begin;
insert into t values (1, 'a');
savepoint s;
alter table t add w int default 3;
insert into t values (2, 'b', 4);
rollback to s;
insert into t values (3, 'c');
commit;
insert into t values (4, 'd');
