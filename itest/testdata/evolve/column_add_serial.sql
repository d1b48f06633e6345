-- before
create table t (v text primary key);
insert into t select 'v' || i from generate_series(1, 100) i;
-- change
alter table t add id serial, add big bigserial;
insert into t values ('new');
