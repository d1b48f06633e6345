-- before
create table t (id int primary key, a int, b text);
insert into t values (1, 1, 'x');
-- change
create index t_p on t (a) where b is not null and a > 0;
create index t_e on t (lower(b), (a + 1));
create unique index t_pu on t (b) where a = 1;
insert into t values (2, 1, 'y');
