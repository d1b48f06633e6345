-- before
create table t (a int);
-- change
grant create on schema public to alice;
grant usage on schema public to public;
-- change
alter schema public owner to bob;
revoke usage on schema public from public;
