-- before
-- change
begin;
create table t (id int primary key, v text);
insert into t select i, 'v' || i from generate_series(1, 1000) i;
update t set v = 'x' where id < 10;
alter table t add w int default 5;
insert into t values (2000, 'y', 6);
commit;
