-- before
create table t (id int primary key, v text);
insert into t values (1, 'a'), (2, null);
-- change
alter table t add n int;
update t set n = id where id = 1;
insert into t values (3, 'c', 33);
