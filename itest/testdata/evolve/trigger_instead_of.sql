-- before
create table t (id int primary key, v text);
create view w as select * from t;
create function into_t() returns trigger language plpgsql as $$ begin insert into t values (new.id, new.v); return new; end $$;
-- change
create trigger w_ins instead of insert on w for each row execute function into_t();
insert into w values (1, 'a');
create or replace view w as select id, v from t where id > 0;
insert into w values (2, 'b');
