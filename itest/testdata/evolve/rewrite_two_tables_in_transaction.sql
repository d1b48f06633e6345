-- before
create table t (id int primary key, a int);
create table u (id int primary key, t int references t);
insert into t select i, i from generate_series(1, 50) i;
insert into u select i, i from generate_series(1, 50) i;
-- change
begin;
alter table t add r float8 default random();
insert into u values (100, 5);
alter table u add r float8 default random();
update t set a = 5 where id = 5;
delete from u where id = 7;
commit;
