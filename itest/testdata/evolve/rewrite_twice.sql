-- before
create table t (id int primary key, a int);
insert into t select i, i from generate_series(1, 100) i;
-- change
alter table t alter a type bigint;
alter table t add u uuid default gen_random_uuid();
update t set a = 0 where id = 1;
alter table t alter a type text using 'a' || a;
insert into t values (1000, 'x');
