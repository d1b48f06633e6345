-- before
create table t (id int primary key, v text);
insert into t select i, 'v' from generate_series(1, 50) i;
-- change
begin;
alter table t rename to t_old;
create table t (like t_old including all) partition by range (id);
alter table t attach partition t_old for values from (minvalue) to (100);
create table t_new partition of t for values from (100) to (maxvalue);
insert into t values (500, 'x');
update t set id = 600 where id = 1;
commit;
