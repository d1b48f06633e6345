-- before
create schema app;
create sequence s;
create table t (id int primary key default nextval('s'), v text);
-- change
alter sequence s set schema app;
insert into t (v) values ('a');
