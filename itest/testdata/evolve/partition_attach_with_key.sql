-- before
create table t (id int primary key, v text) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
create table extra (id int primary key, v text check (v <> ''));
insert into extra values (150, 'x');
-- change
alter table t attach partition extra for values from (100) to (200);
insert into t values (160, 'y');
delete from t where id = 150;
