-- since 18
-- before
create table t (id int primary key, a int);
insert into t values (1, -1);
-- change
alter table t add constraint c check (a > 0) not enforced;
insert into t values (2, -2);
