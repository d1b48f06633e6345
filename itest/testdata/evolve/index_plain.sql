-- before
create table t (id int primary key, a int, b text);
insert into t values (1, 1, 'x');
-- change
create index on t (a);
create unique index t_ub on t (b);
create index t_ab on t (a desc nulls last, b asc nulls first);
insert into t values (2, 2, 'y');
