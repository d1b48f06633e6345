-- before
create table t (id int primary key, v text);
insert into t values (1, 'old');
-- change
drop table t;
create table t (code text primary key, n int, v int[]);
insert into t values ('a', 1, '{1}');
