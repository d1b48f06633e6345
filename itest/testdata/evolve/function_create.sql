-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
create function f(a int, b text default 'x', variadic c int[] default '{}') returns text language sql immutable strict parallel safe as $$ select a || b $$;
create function g() returns setof t language plpgsql stable rows 7 security definer set work_mem = '1MB' as $$ begin return query select * from t; end $$;
create function h(a int, out b int, out c text) language sql begin atomic select a, 'x'; end;
insert into t values (2, f(2));
