-- before
create table p (id int, a int);
create table k () inherits (p);
insert into k values (1, 1);
-- change
alter table p add constraint c check (a > 0);
alter table only p add constraint own check (a > 1) no inherit;
alter table p add constraint nv check (a > 2) not valid;
insert into k values (2, 5);
alter table p drop constraint c;
