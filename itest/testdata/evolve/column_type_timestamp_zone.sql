-- before
create table t (id int primary key, at timestamp);
insert into t select i, '2020-01-01'::timestamp + i * interval '1 hour' from generate_series(1, 50) i;
-- change
set timezone = 'America/New_York';
alter table t alter at type timestamptz;
