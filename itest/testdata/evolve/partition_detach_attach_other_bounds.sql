-- before
create table t (id int primary key, v text) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
insert into t values (1, 'a');
-- change
begin;
alter table t detach partition t_1;
alter table t attach partition t_1 for values from (0) to (1000);
insert into t values (500, 'b');
commit;
