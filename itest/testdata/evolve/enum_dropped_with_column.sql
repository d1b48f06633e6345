-- before
create type mood as enum ('sad');
create table t (id int primary key, m mood);
insert into t values (1, 'sad');
-- change
drop type mood cascade;
insert into t values (2);
