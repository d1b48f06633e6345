-- before
create type mood as enum ('sad', 'happy');
create table t (id int primary key, m mood default 'sad');
-- change
alter type mood add value 'ok';
insert into t values (1, 'ok');
alter table t alter m set default 'ok';
insert into t values (2);
