-- before
create table t (id int generated always as identity primary key, v text);
insert into t (v) values ('a');
-- change
alter table t alter id drop identity;
insert into t values (50, 'b');
alter table t alter id drop identity if exists;
