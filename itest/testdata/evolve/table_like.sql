-- before
create table src (id int primary key, v text default 'd' check (v <> ''), g int generated always as (id + 1) stored, n int generated always as identity);
create index on src (lower(v)) where id > 5;
create statistics st on id, v from src;
comment on column src.v is 'about v';
-- change
create table t (like src including all);
create table u (like src, extra int);
insert into t (id) values (1);
