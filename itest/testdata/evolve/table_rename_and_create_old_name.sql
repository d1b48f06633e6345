-- before
create table t (id serial primary key, v text);
insert into t (v) values ('old');
-- change
alter table t rename to t_old;
create table t (id serial primary key, v text, w int);
insert into t (v, w) values ('new', 1);
insert into t_old (v) values ('also');
