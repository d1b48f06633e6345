-- before
create table t (id int primary key, v text);
create table u (id int primary key, t int references t);
insert into t select i, 'v' from generate_series(1, 50) i;
insert into u select i, i from generate_series(1, 50) i;
-- change
alter table t alter id type bigint;
alter table u alter t type bigint;
update t set v = 'w' where id = 7;
delete from u where id = 8;
