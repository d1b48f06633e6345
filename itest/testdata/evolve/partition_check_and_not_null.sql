-- before
create table t (id int, v text) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
insert into t values (1, 'a');
-- change
alter table t add constraint c check (v <> 'no'), alter v set not null;
alter table t_1 add constraint own check (id < 90);
insert into t values (2, 'b');
alter table t drop constraint c;
