-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
create materialized view m with (fillfactor = 60) as select * from t;
-- change
alter materialized view m set (fillfactor = 80);
alter materialized view m alter v set statistics 300;
create index on m (id);
alter materialized view m cluster on m_id_idx;
comment on materialized view m is 'kept';
