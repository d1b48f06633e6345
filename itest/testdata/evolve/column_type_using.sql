-- before
create table t (id int primary key, a text);
insert into t select i, i::text from generate_series(1, 100) i;
-- change
alter table t alter a type int using a::int * 10;
insert into t values (1000, 5);
