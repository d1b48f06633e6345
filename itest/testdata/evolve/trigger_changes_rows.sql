-- before
create table t (id int primary key, v text, at int default 0);
create function touch() returns trigger language plpgsql as $$ begin new.at := new.at + 1; return new; end $$;
insert into t values (1, 'a');
-- change
create trigger touch before insert or update on t for each row execute function touch();
update t set v = 'b';
insert into t values (2, 'c');
create or replace function touch() returns trigger language plpgsql as $$ begin new.at := new.at + 100; return new; end $$;
update t set v = 'd';
