-- before
create table t (id int primary key);
-- change
alter table t add long text compression pglz;
alter table t alter long set storage external;
insert into t values (1, repeat('long', 3000));
update t set id = 2;
