-- before
create type e as enum ('v0');
create table t (id int primary key, m e);
-- change
do $$ begin for i in 1..60 loop execute format('alter type e add value %L before %L', 'v' || i, 'v' || i - 1); end loop; end $$;
insert into t values (1, 'v60'), (2, 'v1');
