-- before
create table p (id int, v text);
create table q (id int, w text);
-- change
create table k (x int) inherits (p, q);
insert into k values (1, 'a', 'b', 5);
alter table p add y int;
alter table k no inherit q;
