-- before
create table t (id int primary key, v text) with (fillfactor = 50);
-- change
alter table t set (fillfactor = 80, autovacuum_enabled = false, toast.autovacuum_enabled = false);
alter table t reset (autovacuum_enabled);
insert into t values (1, 'a');
