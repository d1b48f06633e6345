-- before
create table a (id int primary key);
create table b (id text primary key);
create table c (id date primary key);
insert into a values (1);
insert into b values ('b');
insert into c values ('2020-01-01');
-- change
begin;
alter table a rename to x;
alter table b rename to a;
alter table c rename to b;
alter table x rename to c;
commit;
insert into c values (2);
