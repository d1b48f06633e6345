-- before
create table t (id int primary key, a int check (a > 0), b int, unique (a, b), check (b > a));
create index on t (a);
create index on t (b) where a > 5;
insert into t values (1, 1, 2);
-- change
alter table t drop a;
insert into t values (2, 7);
