-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
begin;
alter table t add tmp int;
update t set tmp = 5;
insert into t values (2, 'b', 6);
alter table t drop tmp;
commit;
insert into t values (3, 'c');
