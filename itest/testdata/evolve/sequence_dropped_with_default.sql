-- before
create sequence s;
create table t (id int primary key default nextval('s'), v text);
insert into t (v) values ('a');
-- change
drop sequence s cascade;
insert into t values (50, 'b');
