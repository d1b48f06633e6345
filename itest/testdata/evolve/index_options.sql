-- before
create table t (id int primary key, a int);
create index i on t ((a + 1));
-- change
alter index i set (fillfactor = 50);
alter index i alter column 1 set statistics 400;
comment on index i is 'an index';
alter table t cluster on i;
alter index i reset (fillfactor);
