-- before
create table t (id int primary key, a int, b int);
insert into t values (1, 1, 2);
-- change
alter table t add constraint small check (a < 100), add check (b > a), add constraint not_all check (a is not null or b is not null) no inherit;
insert into t values (2, 3, 4);
alter table t drop constraint small;
insert into t values (3, 200, 300);
