-- before
create schema s;
alter default privileges in schema s grant select on tables to bob;
alter default privileges in schema s grant usage on sequences to bob with grant option;
alter default privileges for role alice revoke execute on functions from public;
create table s.t (id serial primary key);
-- change
create table s.u (id serial primary key);
create table s.w (id int);
revoke select on s.w from bob;
alter default privileges in schema s grant insert on tables to public;
create table s.x (id int);
insert into s.x values (1);
create view s.v as select id from s.x;
alter default privileges for role alice grant select on tables to carol;
alter default privileges for role alice in schema s grant usage on types to "Dave ""D""";
-- change
alter default privileges in schema s revoke select on tables from bob;
alter default privileges for role alice grant execute on functions to public;
create table s.y (id int);
alter schema s rename to "S";
create table "S".z (id int);
