-- before
create table t (id int primary key, a int);
insert into t select i, i from generate_series(1, 50) i;
-- change
alter table t add r float8 default random();
update t set r = 5 where id = 1;
alter table t drop r;
insert into t values (100, 100);
