-- before
create schema live;
create schema next;
create table live.t (id int primary key);
create table next.t (id int primary key, v text);
insert into live.t values (1);
insert into next.t values (1, 'a'), (2, 'b');
-- change
begin;
alter schema live rename to previous;
alter schema next rename to live;
drop schema previous cascade;
commit;
insert into live.t values (3, 'c');
