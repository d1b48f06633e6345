-- before
create table t (id int primary key, a int);
insert into t select i, i from generate_series(1, 50) i;
-- change
alter table t add r float8 default random();
alter table t rename to u;
update u set a = 0 where id = 9;
alter table u rename a to b;
