-- before
create table t (id int primary key, a int constraint c check (a > 0));
insert into t values (1, 1);
-- change
alter table t drop constraint c, add constraint c check (a > -10);
insert into t values (2, -5);
