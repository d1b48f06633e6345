-- before
create table t (id int primary key, v text);
create index on t (lower(v));
create view vw as select * from t;
insert into t values (1, 'a');
-- change
alter table t rename v to w;
insert into t (id, w) values (2, 'b');
update t set w = 'c' where id = 1;
