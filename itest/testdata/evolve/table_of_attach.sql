-- before
create type pair as (a int, b text);
create table t (a int, b text);
create table u of pair;
insert into t values (1, 'x');
insert into u values (2, 'y');
-- change
alter table t of pair;
alter table u not of;
alter table u add c int;
