-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
create view v as select id, v as name from t where id > 0;
create view w (a, b) with (security_barrier) as select * from v with check option;
insert into w values (2, 'b');
comment on view v is 'a view';
comment on column v.name is 'its name';
