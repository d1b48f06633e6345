-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
begin isolation level serializable;
update t set v = 'b';
alter table t add w int default 2;
update t set w = 3;
commit;
