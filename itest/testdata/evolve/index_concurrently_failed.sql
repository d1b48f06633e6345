-- before
create table t (id int primary key, a int);
insert into t values (1, 1), (2, 1);
-- change
-- fails
create unique index concurrently t_a on t (a);
insert into t values (3, 1);
drop index t_a;
