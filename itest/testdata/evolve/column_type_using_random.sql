-- before
create table t (id int primary key, a int);
insert into t select i, i from generate_series(1, 100) i;
-- change
alter table t alter a type float8 using random();
insert into t values (1000, 5);
