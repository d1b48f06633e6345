-- before
create table t (id int primary key, a int, b int);
create index i on t (a);
-- change
drop index i;
create index i on t (b) where a > 0;
insert into t values (1, 1, 1);
