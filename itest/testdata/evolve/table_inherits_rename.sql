-- before
create table p (id int, v text);
create table k (x int) inherits (p);
insert into k values (1, 'a', 2);
-- change
alter table p rename v to vv;
alter table k rename to kk;
alter table p alter id type bigint;
insert into kk values (2, 'b', 3);
