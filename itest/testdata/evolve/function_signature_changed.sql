-- before
create function f(a int) returns int language sql as 'select a';
create view v as select f(1);
-- change
drop function f cascade;
create function f(a text, b int) returns text language sql as 'select a';
create function f(b int) returns text language sql as 'select b::text';
create view v as select f(1) as a, f('x', 2) as b;
