-- before
-- change
do $$ begin for i in 1..60 loop execute format('create table t%s (id int primary key, v text default %L)', i, i); execute format('insert into t%s values (%s)', i, i); end loop; end $$;
