-- before
create table t (id int primary key, v text);
create function f() returns bigint language sql begin atomic select count(*) from t; end;
create function g() returns setof t language sql as 'select * from t';
create view v as select * from g();
-- change
alter table t add w int;
alter table t rename to u;
insert into u values (1, 'a', 2);
