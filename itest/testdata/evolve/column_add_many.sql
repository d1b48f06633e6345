-- before
create table t (id int primary key);
insert into t values (1), (2);
-- change
do $$ begin for i in 1..120 loop execute format('alter table t add c%s int default %s', i, i); end loop; end $$;
insert into t (id, c5) values (3, 99);
