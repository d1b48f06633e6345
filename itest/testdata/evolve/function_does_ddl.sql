-- before
create table t (id int primary key);
create function f(name text) returns void language plpgsql as $$
begin
  insert into t (id) select count(*) from t;
  execute format('alter table t add %I int default 4', name);
  insert into t (id) select count(*) from t;
  execute format('create table %I (id int primary key)', name || '_table');
  execute format('insert into %I values (7)', name || '_table');
end $$;
-- change
select f('x'), f('y');
-- fails
select f('x');
