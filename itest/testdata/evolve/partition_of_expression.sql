-- before
-- change
create table t (id int, at timestamptz, v text) partition by range (date_trunc('day', at at time zone 'UTC'), (id % 3));
create table t_1 partition of t for values from ('2020-01-01', minvalue) to ('2021-01-01', minvalue);
insert into t values (1, '2020-06-01 12:00+00', 'a');
create table t_2 partition of t for values from ('2021-01-01', minvalue) to (maxvalue, maxvalue);
insert into t values (2, '2022-06-01 12:00+00', 'b');
