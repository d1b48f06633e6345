-- before
create type mood as enum ('a', 'b');
create function f(int) returns mood language sql immutable as $$ select case when $1 > 0 then 'a' else 'b' end::mood $$;
create table t (id int primary key, m mood);
create view v as select id, f(id), m = 'a'::mood as is_a from t;
insert into t values (1, 'a');
-- change
alter type mood rename value 'a' to 'x';
alter function f(int) rename to g;
insert into t values (2, 'x');
