-- before
create table t (id int generated always as identity primary key, v text);
insert into t (v) values ('a');
-- change
alter table t alter id drop identity;
create sequence t_id_seq start 10 owned by t.id;
alter table t alter id set default nextval('t_id_seq');
insert into t (v) values ('b');
