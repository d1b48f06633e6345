-- before
create table t (v text primary key);
insert into t select 'v' || i from generate_series(1, 100) i;
-- change
alter table t add id int generated always as identity (start 500 increment 5);
insert into t values ('new');
