-- before
create table t (id int primary key, a int, b int not null);
insert into t values (1, 1, 1);
-- change
alter table t alter a set not null, alter b drop not null;
insert into t values (2, 2, null);
