-- before
create type e as enum ('a', 'b');
create table t (k e primary key, v int);
insert into t values ('a', 1), ('b', 2);
-- change
alter type e add value 'c' before 'a';
alter type e rename value 'b' to 'z';
update t set v = 5 where k = 'z';
insert into t values ('c', 3);
delete from t where k = 'a';
