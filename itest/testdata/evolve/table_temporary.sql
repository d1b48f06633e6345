-- before
create table t (id int primary key);
-- change
create temp table x (id int primary key, v text);
insert into x values (1, 'a');
alter table x add w int;
create temp view xv as select * from x;
create temp table t (other text);
insert into t values ('in the temporary one');
insert into public.t values (1);
drop table x cascade;
