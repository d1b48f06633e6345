-- before
create type t1 as (a int);
-- change
drop type t1;
create type t1 as enum ('x', 'y');
create table t (id int primary key, v t1);
insert into t values (1, 'y');
