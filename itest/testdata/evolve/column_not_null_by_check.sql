-- before
create table t (id int primary key, a int);
insert into t values (1, 1);
-- change
alter table t add constraint nn check (a is not null) not valid;
alter table t validate constraint nn;
alter table t alter a set not null;
alter table t drop constraint nn;
insert into t values (2, 2);
