-- before
create table t (id int primary key, v int);
insert into t values (1, 1);
-- change
create aggregate total(int) (sfunc = int4pl, stype = int, initcond = '0', combinefunc = int4pl, parallel = safe);
create view v as select total(v) from t;
comment on aggregate total(int) is 'sums';
alter aggregate total(int) rename to summed;
insert into t values (2, 2);
