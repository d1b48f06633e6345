-- before
create table t (id int primary key, v text);
create table log (id int, what text);
create function note() returns trigger language plpgsql as $$ begin insert into log values (coalesce(new.id, old.id), tg_op); return new; end $$;
-- change
create trigger t_note after insert or update of v on t for each row when (new.id > 0) execute function note();
create trigger t_before before insert on t for each row execute function note();
insert into t values (1, 'a');
update t set v = 'b';
comment on trigger t_note on t is 'notes';
alter trigger t_note on t rename to t_notes;
insert into t values (2, 'c');
