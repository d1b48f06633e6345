-- before
create table p (id int primary key, v text);
create table k (extra int) inherits (p);
insert into p values (1, 'a');
insert into k values (2, 'b', 3);
-- change
alter table p add w int default 7;
alter table p alter v set default 'd';
alter table only p alter v set not null;
insert into k (id, v) values (3, 'c');
