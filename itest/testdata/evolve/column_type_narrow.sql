-- before
create table t (id bigint primary key, a text, n numeric);
insert into t select i, repeat('x', 20), i + 0.126 from generate_series(1, 50) i;
-- change
alter table t alter id type smallint, alter a type varchar(5) using left(a, 5), alter n type numeric(6, 1);
update t set a = 'y' where id = 1;
