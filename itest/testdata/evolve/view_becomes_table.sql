-- before
create table base (id int primary key, v text);
create view t as select * from base;
insert into base values (1, 'a');
-- change
drop view t;
create table t as select * from base;
drop table base;
insert into t values (2, 'b');
