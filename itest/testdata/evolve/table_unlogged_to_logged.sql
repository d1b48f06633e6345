-- before
create unlogged table t (id int primary key, v text);
insert into t select i, 'v' || i from generate_series(1, 100) i;
-- change
alter table t set logged;
insert into t values (1000, 'x');
update t set v = 'y' where id = 5;
