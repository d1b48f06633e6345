-- before
create table t (id int primary key, v text);
create view base as select 1 as one;
-- change
set search_path = public, pg_catalog;
set quote_all_identifiers = on;
set standard_conforming_strings = off;
set check_function_bodies = off;
alter table t add w text default 'a\\b';
create view v as select id, v from t;
create function f() returns int language sql as 'select missing from nowhere';
insert into t values (1, 'a');
