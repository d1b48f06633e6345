-- before
create table t (id serial primary key, v text);
insert into t (v) select 'v' from generate_series(1, 20);
-- change
begin;
truncate t restart identity;
alter table t add w int default 3;
insert into t (v) values ('a');
truncate t;
insert into t (v, w) values ('b', 4);
commit;
