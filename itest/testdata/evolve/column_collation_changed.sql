-- before
create table t (id int primary key, v text);
create index on t (v);
insert into t values (1, 'b'), (2, 'a');
-- change
alter table t alter v type text collate "C";
insert into t values (3, 'c');
