-- before
create table t (id int primary key, a int, b varchar(10), c numeric(5, 2));
insert into t select i, i, 'b', i from generate_series(1, 50) i;
-- change
alter table t alter a type bigint, alter b type varchar(100), alter c type numeric(10, 4);
insert into t values (100, 5000000000, repeat('x', 50), 1.2345);
