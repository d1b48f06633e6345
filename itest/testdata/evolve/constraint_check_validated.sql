-- before
create table t (id int primary key, a int);
insert into t values (1, -1);
alter table t add constraint positive check (a > 0) not valid;
-- change
begin;
update t set a = 1;
alter table t validate constraint positive;
insert into t values (2, 1);
commit;
