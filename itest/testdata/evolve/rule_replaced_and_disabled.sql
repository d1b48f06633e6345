-- before
create table t (id int primary key, v text);
create rule r as on delete to t do instead nothing;
insert into t values (1, 'a');
-- change
create or replace rule r as on delete to t where old.id < 0 do instead nothing;
delete from t where id = 1;
create rule s as on insert to t do also notify x;
alter table t disable rule s;
insert into t values (2, 'b');
