-- before
create table t (id int primary key, a int);
insert into t select i, i from generate_series(1, 50) i;
create table stays (id int primary key);
-- change
alter table t add r float8 default random();
drop table t;
insert into stays values (1);
