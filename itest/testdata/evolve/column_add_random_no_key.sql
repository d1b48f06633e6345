-- before
create table t (v text);
insert into t select 'v' from generate_series(1, 100) i;
-- change
alter table t add r float8 default random();
insert into t values ('new');
