-- before
create table t (id int primary key, a int);
insert into t select i, i from generate_series(1, 100) i;
-- change
create index concurrently t_a on t (a);
insert into t values (1000, 1000);
create unique index concurrently t_u on t (a, id);
drop index concurrently t_a;
reindex index concurrently t_u;
