-- before
create table t (id int, v text) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
create index on t (v);
create table extra (v text, id int not null);
insert into t values (1, 'a');
insert into extra values ('x', 150);
-- change
alter table t attach partition extra for values from (100) to (200);
insert into t values (160, 'y');
update t set id = 170 where id = 1;
