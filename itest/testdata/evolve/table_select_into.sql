-- before
create table src (id int primary key, v text);
insert into src select i, 'v' || i from generate_series(1, 100) i;
-- change
select id, v, id * 2 as twice into t from src where id > 50;
update t set v = 'x' where id = 60;
