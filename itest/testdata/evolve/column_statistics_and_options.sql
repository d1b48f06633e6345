-- before
create table t (id int primary key, v text, w text);
-- change
alter table t alter v set statistics 500, alter w set (n_distinct = -0.2);
alter table t alter w reset (n_distinct), alter w set (n_distinct_inherited = 5);
insert into t values (1, 'a', 'b');
