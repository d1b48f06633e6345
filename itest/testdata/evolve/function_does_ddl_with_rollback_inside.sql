-- before
create table t (id int primary key);
create function f() returns void language plpgsql as $$
begin
  begin
    alter table t add x int default 1;
    insert into t values (1, 2);
    raise exception 'undo';
  exception when raise_exception then
    alter table t add y text default 'kept';
    insert into t values (2, 'z');
  end;
end $$;
-- change
select f();
insert into t values (3, 'w');
