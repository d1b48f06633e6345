-- before
create table t (id int primary key, v text);
create function f() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger a before insert on t for each row execute function f();
create trigger b before insert on t for each row execute function f();
create trigger c before insert on t for each row execute function f();
-- change
alter table t disable trigger a;
alter table t enable always trigger b;
alter table t enable replica trigger c;
insert into t values (1, 'x');
