-- before
create domain pos as int;
create table t (id int primary key, p pos);
insert into t values (1, 5);
alter domain pos add constraint c check (value > 0) not valid;
-- change
alter domain pos validate constraint c;
alter domain pos rename constraint c to cc;
alter domain pos rename to positive;
insert into t values (2, 6);
