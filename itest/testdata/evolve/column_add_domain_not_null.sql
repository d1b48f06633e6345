-- before
create domain pos as int default 3 not null check (value > 0);
create table t (id int primary key);
insert into t values (1), (2);
-- change
alter table t add p pos;
insert into t values (3);
