-- if select count(*) = 2 from pg_available_extensions where name in ('pg_trgm', 'btree_gist')
-- before
create table t (id int primary key, v text, during tstzrange);
insert into t values (1, 'word', '[2020-01-01,2020-02-01)');
-- change
create extension pg_trgm;
create extension btree_gist;
create index on t using gin (v gin_trgm_ops);
alter table t add constraint no_overlap exclude using gist (v with =, during with &&);
insert into t values (2, 'word', '[2021-01-01,2021-02-01)');
