-- before
create table t (id int primary key);
insert into t values (1);
-- change
begin;
create type mood as enum ('sad');
alter type mood add value 'ok';
alter table t add m mood default 'sad';
insert into t values (2, 'sad');
commit;
insert into t values (3, 'ok');
