-- before
-- change
create table t ();
insert into t default values;
alter table t add a int;
insert into t values (1);
