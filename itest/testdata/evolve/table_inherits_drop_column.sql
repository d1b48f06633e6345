-- before
create table p (id int primary key, v text, w int);
create table k (extra int) inherits (p);
insert into k values (2, 'b', 3, 4);
-- change
alter table p drop w;
alter table only p drop v;
insert into k (id, v) values (3, 'c');
