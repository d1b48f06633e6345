-- before
create table t (id int primary key, v text);
create function f() returns trigger language plpgsql as $$ begin execute format('create table made_%s (id int primary key)', new.id); execute format('insert into made_%s values (1)', new.id); return new; end $$;
create trigger a before insert on t for each row execute function f();
-- change
insert into t values (1, 'a'), (2, 'b');
