-- before
create table a (id int primary key, v text);
create table b (id int primary key, v text);
insert into a values (1, 'in a');
insert into b values (1, 'in b'), (2, 'in b');
-- change
begin;
insert into a values (2, 'before');
alter table a rename to tmp;
alter table b rename to a;
alter table tmp rename to b;
insert into a values (3, 'after, was b');
commit;
delete from b where id = 1;
