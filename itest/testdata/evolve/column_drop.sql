-- before
create table t (a int, id int primary key, v text, w int);
insert into t select i, i, 'v', i from generate_series(1, 50) i;
-- change
alter table t drop a;
update t set v = 'x' where id < 5;
insert into t values (100, 'y', 1);
