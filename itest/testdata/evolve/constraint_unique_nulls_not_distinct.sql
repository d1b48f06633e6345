-- since 15
-- before
create table t (id int primary key, a int);
insert into t values (1, null);
-- change
alter table t add unique nulls not distinct (a);
insert into t values (2, 1);
create unique index on t (id, a) nulls not distinct;
