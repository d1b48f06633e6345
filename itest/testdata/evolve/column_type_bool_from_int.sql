-- before
create table t (id int primary key, flag int default 0);
insert into t values (1, 0), (2, 1);
-- change
alter table t alter flag drop default;
alter table t alter flag type boolean using flag = 1;
alter table t alter flag set default false;
insert into t (id) values (3);
