-- before
create schema s;
create table s.a (id serial primary key);
create table s.b (id int primary key);
create table s.p (k int primary key) partition by list (k);
create table s.p1 partition of s.p for values in (1);
create function s.f() returns int language sql as 'select 1';
-- change
grant usage on schema s to public;
grant select on all tables in schema s to alice, public;
grant all on all sequences in schema s to bob;
revoke execute on all routines in schema s from public;
-- change
do $$
begin
  revoke select on s.a from public;
  grant insert on s.p to alice;
  grant update (k) on s.p1 to alice;
end
$$;
revoke all on schema s from public;
