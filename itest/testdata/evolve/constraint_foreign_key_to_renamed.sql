-- before
create table p (id int primary key);
create table t (id int primary key, p int references p);
insert into p values (1);
-- change
alter table p rename to parents;
alter table parents rename id to key;
insert into t values (1, 1);
