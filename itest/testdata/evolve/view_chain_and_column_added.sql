-- before
create table t (id int primary key, v text);
create view v1 as select * from t;
create view v2 as select * from v1 where id > 0;
create view v3 as select a.id, b.v from v2 a join v1 b using (id);
insert into t values (1, 'a');
-- change
alter table t add w int;
create or replace view v1 as select *  from t;
create or replace view v2 as select * from v1 where id > 10;
insert into t values (2, 'b', 5);
