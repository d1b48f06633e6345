-- before
create table t (id int primary key, a int);
insert into t select i, i from generate_series(1, 10) i;
-- change
alter table t alter a type timestamptz using now() + a * interval '1 day';
insert into t values (1000, now());
