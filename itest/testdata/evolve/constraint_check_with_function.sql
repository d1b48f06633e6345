-- before
create function ok(int) returns boolean language sql immutable as 'select $1 > 0';
create table t (id int primary key, a int);
insert into t values (1, 1);
-- change
alter table t add constraint is_ok check (ok(a));
create or replace function ok(int) returns boolean language sql immutable as 'select $1 > -10';
insert into t values (2, -5);
