-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
create domain d as text check (value <> '');
alter table t alter v type d;
insert into t values (2, 'b');
