-- before
create table other (id int primary key);
-- change
create table t (id int primary key, v text default 'x' not null check (v <> ''));
insert into t values (1), (2);
