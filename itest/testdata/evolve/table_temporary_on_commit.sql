-- before
create table t (id int primary key);
-- change
begin;
create temp table x (id int) on commit drop;
insert into x values (1), (2);
insert into t select id from x;
commit;
