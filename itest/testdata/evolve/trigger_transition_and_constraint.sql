-- before
create table t (id int primary key, v text);
create table log (n bigint);
create function many() returns trigger language plpgsql as $$ begin insert into log select count(*) from fresh; return null; end $$;
create function fine() returns trigger language plpgsql as $$ begin return null; end $$;
-- change
create trigger many after insert on t referencing new table as fresh for each statement execute function many();
create constraint trigger later after insert on t deferrable initially deferred for each row execute function fine();
create trigger emptied after truncate on t execute function fine();
insert into t values (1, 'a'), (2, 'b');
