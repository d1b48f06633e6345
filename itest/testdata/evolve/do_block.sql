-- before
create table t (id int primary key, v text);
-- change
do $$
begin
  alter table t add n int;
  insert into t values (1, 'a', 2);
  alter table t rename n to m;
  insert into t (id, m) values (2, 3);
  create index on t (m);
  drop index t_m_idx;
end $$;
