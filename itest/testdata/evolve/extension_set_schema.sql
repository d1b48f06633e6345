-- if select count(*) > 0 from pg_available_extensions where name = 'citext'
-- before
create schema ext;
create extension citext;
create table t (id int primary key, v citext);
insert into t values (1, 'a');
-- change
alter extension citext set schema ext;
insert into t values (2, 'b');
