-- before
create table t (id int primary key, v text);
create function f() returns trigger language plpgsql as $$ begin new.v := 'f'; return new; end $$;
create trigger a before insert on t for each row execute function f();
-- change
insert into t values (1, 'x');
drop function f cascade;
insert into t values (2, 'y');
