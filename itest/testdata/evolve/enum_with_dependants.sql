-- before
create type mood as enum ('sad', 'happy');
create domain good as mood check (value <> 'sad');
create table t (id int primary key, m mood, g good);
create view v as select * from t where m = 'sad';
create function f(mood) returns text language sql as 'select $1::text';
create type pair as (a mood, b int);
insert into t values (1, 'sad', 'happy');
-- change
alter type mood add value 'ok' after 'sad';
insert into t values (2, 'ok', 'ok');
