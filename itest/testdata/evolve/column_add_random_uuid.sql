-- before
create table t (id int primary key, v text);
insert into t select i, 'v' || i from generate_series(1, 300) i;
-- change
alter table t add u uuid not null default gen_random_uuid();
insert into t values (1000, 'x');
update t set v = 'y' where id = 5;
