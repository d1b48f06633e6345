-- before
create table t (id serial primary key, v text);
insert into t (v) values ('a');
-- change
alter table t rename to u;
insert into u (v) values ('b');
update u set v = 'c' where id = 1;
