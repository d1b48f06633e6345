-- before
-- change
do $$ begin execute 'create table t (id int primary key, ' || (select string_agg(format('c%s int', i), ', ') from generate_series(1, 900) i) || ')'; end $$;
insert into t (id, c7) values (1, 7);
alter table t drop c5, add d5 text default 'd';
