-- before
create unlogged table t (id int primary key, v text);
insert into t select i, 'v' || i from generate_series(1, 100) i;
-- change
begin;
update t set v = 'w' where id < 10;
alter table t set logged;
update t set v = 'x' where id = 3;
insert into t values (1000, 'x');
commit;
