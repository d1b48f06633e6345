-- if select count(*) > 0 from pg_available_extensions where name = 'hstore'
-- before
create extension hstore;
create table t (id int primary key, h hstore);
insert into t values (1, 'a=>1');
-- change
drop extension hstore cascade;
insert into t values (2);
