-- before
create table t (id int primary key, a int);
insert into t select i, i from generate_series(1, 10) i;
create table words (n int primary key, word text);
insert into words select i, 'w' || i from generate_series(1, 10) i;
create function word_of(int) returns text language sql as 'select word from words where n = $1';
-- change
alter table t alter a type text using word_of(a);
insert into t values (1000, 'x');
