-- before
create table t (id int primary key, j json);
insert into t values (1, '{"b":1,  "a":2,"b":3}');
-- change
alter table t alter j type jsonb;
create index on t using gin (j);
insert into t values (2, '{}');
