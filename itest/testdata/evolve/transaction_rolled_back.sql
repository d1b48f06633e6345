-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
begin;
alter table t add w int;
create table u (id int primary key);
insert into t values (2, 'b', 1);
rollback;
insert into t values (3, 'c');
