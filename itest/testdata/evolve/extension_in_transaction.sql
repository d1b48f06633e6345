-- if select count(*) > 0 from pg_available_extensions where name = 'hstore'
-- before
create table t (id int primary key);
-- change
begin;
create extension hstore;
create table u (id int primary key, h hstore);
insert into u values (1, 'a=>1');
update u set h = h || 'b=>2';
alter table t add h hstore;
insert into t values (1, 'x=>y');
commit;
