-- before
create table t (id serial primary key, v text);
create table stays (id int primary key);
insert into t (v) values ('a');
-- change
insert into stays values (1);
drop table t;
insert into stays values (2);
