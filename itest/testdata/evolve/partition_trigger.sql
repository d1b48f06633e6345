-- before
create table t (id int primary key, v text) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
create function f() returns trigger language plpgsql as $$ begin new.v := new.v || '!'; return new; end $$;
-- change
create trigger a before insert on t for each row execute function f();
insert into t values (1, 'a');
create table t_2 partition of t for values from (100) to (200);
insert into t values (101, 'b');
alter table t_1 disable trigger a;
insert into t values (2, 'c');
drop trigger a on t;
