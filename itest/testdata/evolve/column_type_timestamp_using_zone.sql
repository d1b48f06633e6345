-- before
create table t (id int primary key, at timestamp);
insert into t select i, '2020-01-01'::timestamp + i * interval '1 hour' from generate_series(1, 50) i;
-- change
alter table t alter at type timestamptz using at at time zone 'Asia/Tokyo';
