-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
begin;
alter table t rename to t_data;
create view t as select id, v from t_data;
insert into t values (2, 'b');
commit;
