-- before
create table a (id int primary key, b int);
create table b (id int primary key, a int);
-- change
alter table a add foreign key (b) references b deferrable initially deferred;
alter table b add foreign key (a) references a deferrable initially deferred;
begin;
insert into a values (1, 1);
insert into b values (1, 1);
commit;
