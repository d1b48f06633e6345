-- before
create table t (id int primary key);
-- change
comment on schema public is 'ours';
insert into t values (1);
