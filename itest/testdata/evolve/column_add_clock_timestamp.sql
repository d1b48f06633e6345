-- before
create table t (id int primary key);
insert into t select generate_series(1, 100);
-- change
alter table t add at timestamptz default clock_timestamp();
insert into t values (1000);
