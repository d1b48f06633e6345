-- before
create type mood as enum ('sad', 'happy');
create table t (id int primary key, m mood);
-- change
begin;
insert into t values (1, 'sad');
alter type mood add value 'ok';
insert into t values (2, 'happy');
commit;
insert into t values (3, 'ok');
