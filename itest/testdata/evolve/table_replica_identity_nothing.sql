-- before
create table t (id int primary key, v text);
insert into t values (1, 'x');
-- change
alter table t replica identity nothing;
update t set v = 'y';
