-- before
create table src (id int primary key, v text);
insert into src select i, 'v' || i from generate_series(1, 100) i;
-- change
create table t as select * from src;
insert into t values (1000, 'x');
update t set v = 'y' where id = 3;
