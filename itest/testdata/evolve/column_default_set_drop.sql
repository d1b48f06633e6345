-- before
create table t (id int primary key, a int default 1, b text, c timestamptz default now());
insert into t values (1);
-- change
alter table t alter a drop default, alter b set default 'x' || 'y', alter c set default '2000-01-01';
insert into t values (2);
