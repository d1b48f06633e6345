-- before
create table t (id int primary key);
create procedure p() language plpgsql as $$
begin
  insert into t values (1);
  commit;
  alter table t add a int default 1;
  commit;
  insert into t values (2, 2);
  alter table t add b int default 2;
  rollback;
  insert into t values (3, 3);
end $$;
-- change
call p();
comment on procedure p is 'commits';
