-- before
create domain d as text default 'x' not null;
create table t (id int primary key, v d);
insert into t values (1);
-- change
alter domain d set default 'y';
insert into t values (2);
alter domain d drop not null;
insert into t values (3, null);
alter domain d drop default;
insert into t values (4);
