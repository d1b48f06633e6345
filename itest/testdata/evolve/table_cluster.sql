-- before
create table t (id int primary key, v text);
create index t_v on t (v);
insert into t values (2, 'a'), (1, 'b');
-- change
cluster t using t_v;
alter table t cluster on t_pkey;
insert into t values (3, 'c');
