-- before
create table t (a int primary key, n int default 0);
create table noted (what text);
create function note() returns trigger language plpgsql as $$
begin
  insert into noted values (tg_name || ' ' || tg_op);
  return new;
end
$$;
create trigger always after insert or update on t for each row execute function note();
create trigger replica after insert or delete or truncate on t for each statement execute function note();
create trigger before before insert on t for each row execute function note();
alter table t enable always trigger always;
alter table t enable replica trigger replica;
alter table t enable always trigger before;
create rule also as on delete to t do also insert into noted values ('rule');
alter table t enable always rule also;
insert into t values (1);
-- change
insert into t values (2), (3);
update t set n = 1 where a = 2;
delete from t where a = 1;
truncate t;
insert into t values (4);
-- change
begin;
insert into t values (5);
alter table t add column more int default 1;
insert into t values (6);
alter table t enable replica trigger always;
alter table t disable trigger before;
insert into t values (7);
commit;
-- change
alter table t alter n type bigint;
insert into t values (8);
