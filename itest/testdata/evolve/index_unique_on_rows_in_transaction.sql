-- before
create table t (id int primary key, a int);
insert into t values (1, 1), (2, 1);
-- change
begin;
update t set a = 2 where id = 2;
create unique index on t (a);
insert into t values (3, 3);
commit;
