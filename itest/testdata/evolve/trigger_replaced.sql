-- before
create table t (id int primary key, v text);
create function f() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger a before insert on t for each row execute function f('x');
-- change
create or replace trigger a after update on t for each row execute function f('y', 'z');
insert into t values (1, 'x');
update t set v = 'y';
