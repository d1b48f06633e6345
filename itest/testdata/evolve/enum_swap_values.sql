-- before
create type mood as enum ('a', 'b');
create table t (id int primary key, m mood);
insert into t values (1, 'a'), (2, 'b');
-- change
begin;
alter type mood rename value 'a' to 'x';
alter type mood rename value 'b' to 'a';
alter type mood rename value 'x' to 'b';
insert into t values (3, 'a');
commit;
