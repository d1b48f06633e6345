-- before
create aggregate total(int) (sfunc = int4pl, stype = int, initcond = '0');
create table t (id int primary key);
create view v as select total(id) from t;
-- change
drop aggregate total(int) cascade;
create function plus(int, int) returns int language sql immutable as 'select $1 + $2';
create aggregate total(int) (sfunc = plus, stype = int, initcond = '5');
create view v as select total(id) from t;
insert into t values (1);
