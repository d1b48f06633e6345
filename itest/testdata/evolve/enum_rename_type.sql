-- before
create type mood as enum ('sad', 'happy');
create table t (id int primary key, m mood default 'sad', ms mood[]);
insert into t values (1, 'sad', '{happy}');
-- change
alter type mood rename to feeling;
alter type feeling add value 'ok';
insert into t values (2, 'ok', '{ok}');
