-- before
create table t (id int primary key, v text);
insert into t select i, 'v' from generate_series(1, 50) i;
-- change
alter table t alter id type text;
update t set v = 'w' where id = '7';
