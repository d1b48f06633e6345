-- before
create table t (id int, v text);
insert into t values (1, 'a');
-- change
alter table t add primary key (id) include (v) with (fillfactor = 70);
update t set v = 'b';
