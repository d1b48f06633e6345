-- before
create table t (id int primary key, a int);
create index i on t (a);
-- change
create index if not exists i on t (id);
drop index if exists nothing;
insert into t values (1, 1);
