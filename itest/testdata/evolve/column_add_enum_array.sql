-- before
create type mood as enum ('sad', 'ok');
create table t (id int primary key);
insert into t values (1);
-- change
alter table t add m mood default 'ok', add ms mood[] default '{sad,ok}';
insert into t values (2, 'sad', '{}');
