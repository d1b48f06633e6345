-- before
create table t (id int primary key, v int);
create view v1 as select id, v from t;
create view v2 as select v + 1 as n from v1;
comment on view v1 is 'stays';
alter view v1 alter column v set default 5;
insert into t values (1, 1);
-- change
begin;
drop view v1 cascade;
alter table t alter v type bigint;
create view v1 as select id, v from t;
create view v2 as select v + 1 as n from v1;
commit;
