-- before
create domain d as varchar(10) check (value <> '');
create table t (id int primary key, v d);
insert into t values (1, 'a');
-- change
alter table t alter v type varchar(20);
drop domain d;
insert into t values (2, '');
