-- before
create type mood as enum ('a');
create table t (id int primary key, m mood);
-- change
begin;
savepoint s;
alter type mood rename value 'a' to 'b';
insert into t values (1, 'b');
rollback to s;
insert into t values (2, 'a');
create type other as enum ('x');
savepoint s2;
alter table t add o other default 'x';
release s2;
commit;
