-- if select count(*) > 0 from pg_available_extensions where name = 'hstore'
-- before
create table t (id int primary key);
insert into t values (1);
-- change
create extension hstore;
alter table t add h hstore default 'a=>1';
create index on t using gist (h);
insert into t values (2, 'b=>NULL');
