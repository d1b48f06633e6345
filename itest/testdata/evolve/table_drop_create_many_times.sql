-- before
create table t (id int primary key, v text);
insert into t values (1, 'old');
-- change
do $$ begin for i in 1..15 loop drop table t; execute format('create table t (id int primary key, c%s text)', i); insert into t values (i, 'x'); end loop; end $$;
