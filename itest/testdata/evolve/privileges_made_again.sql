-- before
create table t (a int, b int);
create view v as select a from t;
alter view v owner to alice;
grant select on v to bob;
grant update (a) on v to carol;
create materialized view m as select a from t;
grant select on m to bob;
create function f(int) returns int language sql as 'select 1';
revoke execute on function f(int) from public;
grant execute on function f(int) to bob;
insert into t values (1, 2);
-- change
begin;
drop view v;
create view v as select b, a from t;
alter view v owner to alice;
grant select on v to carol;
drop materialized view m;
create materialized view m as select b from t;
alter materialized view m owner to bob;
grant select on t to bob;
grant usage on schema public to bob;
drop function f(int);
create function f(int) returns text language sql as 'select ''x''';
grant execute on function f(int) to bob;
commit;
insert into t values (3, 4);
-- change
alter table t alter column b set default 1;
create or replace view v as select b, a, a + b as c from t;
create or replace function f(int) returns text language sql as 'select ''y''';
