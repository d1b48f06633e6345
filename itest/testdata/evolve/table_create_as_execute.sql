-- before
create table src (id int primary key, v text);
insert into src values (1, 'a'), (2, 'b');
-- change
prepare p as select id, v from src;
create table t as execute p;
insert into t values (5, 'x');
