-- before
create table t (id int primary key, v text);
create view v as select t.id, t.v, count(*) over () from t;
insert into t values (1, 'a');
-- change
alter table t rename to base;
alter table base rename v to w;
alter view v rename to vv;
alter view vv rename column v to x;
insert into base values (2, 'b');
-- fails
select w from vv;
