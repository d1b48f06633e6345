-- before
create table t (id int primary key, m text default 'ok');
insert into t values (1, 'sad'), (2, 'ok');
-- change
create type mood as enum ('sad', 'ok');
alter table t alter m drop default, alter m type mood using m::mood, alter m set default 'sad';
insert into t values (3);
