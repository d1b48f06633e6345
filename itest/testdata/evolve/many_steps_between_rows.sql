-- before
create table t (id int primary key, v text);
-- change
do $$ begin for i in 1..25 loop execute format('alter table t add c%s int', i); execute format('insert into t (id, c%s) values (%s, %s)', i, i, i); execute format('alter table t drop c%s', i); end loop; end $$;
