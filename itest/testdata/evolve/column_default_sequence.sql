-- before
create table t (id int primary key, a int);
create sequence s;
-- change
alter table t alter a set default nextval('s'::regclass), alter id set default nextval('s');
insert into t default values;
