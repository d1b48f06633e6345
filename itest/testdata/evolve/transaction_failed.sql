-- before
create table t (id int primary key, v text);
-- change
begin;
alter table t add w int;
insert into t values (2, 'b', 1);
-- fails
insert into t values (2, 'b', 1);
rollback;
insert into t values (3, 'c');
