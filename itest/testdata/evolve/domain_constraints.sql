-- before
create domain pos as int constraint positive check (value > 0);
create table t (id int primary key, p pos);
insert into t values (1, 5);
-- change
alter domain pos add constraint small check (value < 100);
alter domain pos drop constraint positive;
insert into t values (2, -5);
alter domain pos add constraint large check (value > -1) not valid;
