-- before
create table t (id int primary key, v text);
insert into t select i, 'v' || i from generate_series(1, 100) i;
-- change
alter table t add twice text generated always as (v || v) stored, add len int generated always as (length(v)) stored not null;
insert into t values (1000, 'new');
update t set v = 'w' where id = 3;
