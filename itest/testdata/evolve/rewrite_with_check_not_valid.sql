-- before
create table t (id int primary key, a text, b int);
insert into t select i, i::text, -i from generate_series(1, 100) i;
alter table t add constraint positive check (b > 0) not valid;
comment on constraint positive on t is 'from now on';
-- change
alter table t alter a type int using a::int * 10;
insert into t values (1000, 5, 1);
