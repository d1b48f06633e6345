-- before
create domain d as int check (value > 0);
create domain dd as d check (value < 100);
create table t (id int primary key, v dd, w dd);
insert into t values (1, 5, 6);
-- change
alter domain d add check (value <> 50);
create domain ddd as dd default 7;
alter table t add x ddd;
insert into t values (2, 5, 7);
