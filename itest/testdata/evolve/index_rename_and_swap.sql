-- before
create table t (id int primary key, a int, b int);
create index ia on t (a);
create index ib on t (b);
-- change
begin;
alter index ia rename to tmp;
alter index ib rename to ia;
alter index tmp rename to ib;
commit;
alter index t_pkey rename to the_key;
insert into t values (1, 1, 1);
