-- before
create table t (id int primary key, a int);
insert into t values (1, 1), (2, null);
-- change
alter table t alter a type int[] using case when a is null then '{}' else array[a] end;
insert into t values (3, '{1,2}');
