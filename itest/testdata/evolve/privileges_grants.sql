-- before
grant usage on schema public to public;
create table t (a int primary key, b text, c int);
grant select on t to alice with grant option;
grant insert, update on t to bob;
create sequence q;
create function f(int) returns int language sql as 'select 1';
-- change
set role alice;
grant select on t to carol;
reset role;
revoke insert on t from bob;
grant select (a), update (b) on t to bob;
grant usage on sequence q to public;
revoke execute on function f(int) from public;
grant execute on function f(int) to alice;
-- change
begin;
grant delete on t to carol;
insert into t values (1, 'x', 2);
savepoint s;
grant truncate on t to carol;
rollback to s;
grant references (a) on t to carol;
commit;
revoke select on t from alice cascade;
grant select on t to bob, "Dave ""D""";
-- change
alter table t rename a to id;
alter table t drop column b;
alter table t add column b text;
grant insert (b) on t to bob with grant option;
revoke all on t from postgres;
insert into t (id, b) values (2, 'y');
grant all on t to postgres;
