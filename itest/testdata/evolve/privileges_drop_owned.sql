-- before
grant usage on schema public to public;
create table t (a int, b int);
grant select, insert on t to alice, bob;
grant select (b) on t to alice;
create table u (a int);
alter table u owner to alice;
create function f() returns int language sql as 'select 1';
grant execute on function f() to alice;
create policy p on t to alice, bob using (true);
alter default privileges for role alice grant select on tables to bob;
-- change
insert into t values (1, 2);
drop owned by alice;
insert into t values (3, 4);
