-- before
create table t (id int primary key, v text);
create foreign data wrapper kept;
-- change
create language handled handler plpgsql_call_handler inline plpgsql_inline_handler validator plpgsql_validator;
create function f() returns int language handled as 'begin return 1; end';
create access method stored type table handler heap_tableam_handler;
create table u (id int primary key, v int default f()) using stored;
insert into u (id) values (1);
comment on access method stored is 'x';
-- change
create conversion conv for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
create transform for int language sql (from sql with function prsd_lextype(internal), to sql with function int4recv(internal));
create foreign data wrapper wrapper options (debug 'a''b');
create server there type 'x' version '1' foreign data wrapper wrapper options (host 'h');
comment on server there is 's';
-- change
alter conversion conv rename to conv2;
alter server there version '2' options (set host 'i', add port '1');
alter server there rename to here;
alter foreign data wrapper kept options (add a 'b');
alter language handled rename to named;
insert into u (id) values (2);
-- change at once
begin;
drop transform for int language sql;
drop conversion conv2;
drop foreign data wrapper wrapper cascade;
create server here foreign data wrapper kept;
insert into t values (1, 'a');
commit;
-- change
drop language named cascade;
drop access method stored cascade;
drop foreign data wrapper kept cascade;
insert into t values (2, 'b');
