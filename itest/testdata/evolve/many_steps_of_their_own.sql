-- before
create table t (id int primary key, v text);
create procedure p() language plpgsql as $$ begin for i in 1..25 loop execute format('alter table t add c%s int default %s', i, i); insert into t values (i, 'v'); commit; end loop; end $$;
-- change
call p();
