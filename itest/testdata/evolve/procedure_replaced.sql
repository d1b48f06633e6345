-- before
create procedure p(inout a int) language plpgsql as $$ begin a := 1; end $$;
-- change
create or replace procedure p(inout a int) language plpgsql as $$ begin a := 2; end $$;
alter procedure p security definer;
create procedure q(a int, out b text) language sql as 'select a::text';
drop procedure p;
