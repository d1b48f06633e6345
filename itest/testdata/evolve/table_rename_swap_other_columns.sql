-- before
create table live (id int primary key, v text);
create table next (id int primary key, v text, extra int default 4);
insert into live values (1, 'old');
-- change
begin;
insert into next select id, v from live;
alter table live rename to previous;
alter table next rename to live;
drop table previous;
commit;
insert into live values (2, 'x');
