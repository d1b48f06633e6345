-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
alter table t alter id add generated always as identity (start 10);
insert into t (v) values ('b');
