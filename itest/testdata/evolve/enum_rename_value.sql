-- before
create type mood as enum ('sad', 'happy');
create table t (id int primary key, m mood default 'sad' check (m <> 'happy'));
create index on t (id) where m = 'sad';
insert into t values (1);
-- change
alter type mood rename value 'sad' to 'blue';
insert into t values (2, 'blue'), (3, default);
