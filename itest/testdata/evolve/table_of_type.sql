-- before
create type pair as (a int, b text);
-- change
create table t of pair (primary key (a), b with options default 'x');
insert into t values (1, 'y');
alter type pair add attribute c date cascade;
insert into t values (2, 'z', '2020-01-01');
