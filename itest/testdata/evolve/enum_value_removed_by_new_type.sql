-- before
create type mood as enum ('sad', 'ok', 'happy');
create table t (id int primary key, m mood default 'ok');
insert into t values (1, 'sad'), (2, 'happy');
-- change
begin;
alter type mood rename to mood_old;
create type mood as enum ('sad', 'happy');
alter table t alter m drop default, alter m type mood using m::text::mood, alter m set default 'sad';
drop type mood_old;
commit;
insert into t values (3);
