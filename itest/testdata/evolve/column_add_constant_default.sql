-- before
create table t (id int primary key);
insert into t select generate_series(1, 500);
-- change
alter table t add a int not null default 7, add b text default 'it''s', add c timestamptz default '2024-01-01 12:00+02';
update t set a = 8 where id = 1;
insert into t values (1000);
alter table t alter a set default 9;
insert into t values (1001);
