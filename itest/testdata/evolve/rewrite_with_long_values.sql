-- before
create table t (id int primary key, a int, long text);
alter table t alter long set storage external;
insert into t select i, i, repeat('long' || i, 2000) from generate_series(1, 20) i;
-- change
alter table t alter a type bigint using a + 1;
update t set a = 0 where id = 3;
update t set long = 'short' where id = 4;
