-- if select count(*) > 0 from pg_available_extensions where name = 'citext'
-- before
create schema ext;
create table t (id int primary key, v text);
insert into t values (1, 'A');
-- change
create extension citext schema ext;
alter table t alter v type ext.citext;
create unique index on t (v);
insert into t values (2, 'b');
update t set v = 'a' where id = 1;
