-- before
create table t (id int primary key, v text);
-- change
begin;
savepoint a;
alter table t add a int;
insert into t values (1, 'x', 1);
savepoint b;
alter table t add b int;
insert into t values (2, 'x', 1, 2);
savepoint c;
alter table t rename a to c;
insert into t values (3, 'x', 1, 2);
rollback to c;
insert into t values (4, 'x', 1, 2);
release b;
savepoint d;
create table u (id int primary key);
insert into u values (1);
rollback to d;
create table u (id text primary key);
insert into u values ('x');
release a;
commit;
