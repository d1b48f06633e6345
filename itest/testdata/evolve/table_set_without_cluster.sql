-- before
create table t (id int primary key, v text);
alter table t cluster on t_pkey;
-- change
alter table t set without cluster;
