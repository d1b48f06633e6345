-- before
create table p (id int primary key);
create table c (id int primary key, p int references p);
create view v as select * from p;
create function f() returns setof p language sql as 'select * from p';
insert into p values (1);
insert into c values (1, 1);
-- change
drop table p cascade;
insert into c values (2, 99);
