-- before
create type pair as (a int, b int);
create table t (id int primary key, p pair);
insert into t values (1, '(1,2)');
-- change
create function pair_same(pair, pair) returns boolean language sql immutable as 'select ($1).a = ($2).a';
create operator === (leftarg = pair, rightarg = pair, function = pair_same, commutator = ===, restrict = eqsel, join = eqjoinsel);
create view v as select * from t where p === row(1, 1)::pair;
comment on operator === (pair, pair) is 'same';
alter operator === (pair, pair) set (restrict = none);
insert into t values (2, '(1,3)');
