-- before
create table t (id int generated always as identity primary key, v text);
insert into t (v) values ('a');
-- change
alter table t alter id type bigint;
insert into t (v) values ('b');
