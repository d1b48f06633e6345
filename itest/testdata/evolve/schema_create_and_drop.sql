-- before
create schema old;
create table old.t (id int primary key);
insert into old.t values (1);
-- change
create schema fresh create table t (id int primary key, v text) create view v as select * from t;
insert into fresh.t values (1, 'a');
comment on schema fresh is 'new';
drop schema old cascade;
