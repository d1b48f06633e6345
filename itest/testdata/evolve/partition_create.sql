-- before
create table other (id int primary key);
-- change
create table t (region int, id int, v text default 'd', primary key (region, id)) partition by list (region);
create table t_1 partition of t for values in (1);
create table t_2 partition of t (v default 'two') for values in (2, null);
create table t_d partition of t default;
create index on t (v);
insert into t values (1, 1, 'a'), (2, 2, default), (3, 3, 'c');
