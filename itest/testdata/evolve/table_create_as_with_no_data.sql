-- before
create table src (id int primary key, v text);
insert into src values (1, 'a');
-- change
create table t as select * from src with no data;
insert into t values (5, 'x');
