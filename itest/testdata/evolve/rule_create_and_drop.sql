-- before
create table t (id int primary key, v text);
create table log (id int, v text);
create view v as select * from t;
-- change
create rule v_ins as on insert to v do instead insert into t values (new.id, new.v || '!');
create rule t_log as on update to t do also insert into log values (old.id, old.v);
insert into v values (1, 'a');
update t set v = 'b';
alter rule t_log on t rename to t_logs;
comment on rule t_logs on t is 'logs';
insert into t values (2, 'c');
