-- before
create table t (a int, b int, pa int, pb int, primary key (a, b));
insert into t values (1, 1, null, null);
-- change
alter table t add constraint up foreign key (pa, pb) references t match full;
insert into t values (2, 2, 1, 1);
update t set pa = null, pb = null where a = 2;
