-- before
create table t (id int primary key, a int constraint x check (a > 0), b int constraint y check (b > 10));
insert into t values (1, 1, 11);
-- change
begin;
alter table t rename constraint x to tmp;
alter table t rename constraint y to x;
alter table t rename constraint tmp to y;
commit;
insert into t values (2, 2, 12);
