-- before
create table t (id int primary key, v text) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
create table t_d partition of t default;
insert into t values (1, 'a'), (500, 'b');
-- change
begin;
truncate t_1;
alter table t detach partition t_d;
create table t_5 partition of t for values from (500) to (600);
insert into t select * from t_d;
drop table t_d;
commit;
