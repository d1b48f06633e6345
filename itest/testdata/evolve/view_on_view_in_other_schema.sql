-- before
create schema a;
create schema b;
create table a.t (id int primary key);
create view b.v as select * from a.t;
create view a.w as select * from b.v;
-- change
alter schema a rename to aa;
alter schema b rename to a;
insert into aa.t values (1);
