-- before
create type mood as enum ('sad', 'happy');
create table t (id int primary key, m mood);
insert into t values (1, 'sad');
-- change
alter type mood add value 'ok' before 'happy';
alter type mood add value 'great' after 'happy';
alter type mood add value 'worst' before 'sad';
alter type mood add value if not exists 'ok';
insert into t values (2, 'ok'), (3, 'great'), (4, 'worst');
