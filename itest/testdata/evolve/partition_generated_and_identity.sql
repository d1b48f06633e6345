-- before
create table t (id int, v int, g int generated always as (v * 2) stored) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
insert into t values (1, 1);
-- change
create table t_2 partition of t for values from (100) to (200);
insert into t values (101, 2);
alter table t add s bigserial;
insert into t (id, v) values (2, 3);
