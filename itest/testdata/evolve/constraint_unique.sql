-- before
create table t (id int primary key, a int, b text);
insert into t values (1, 1, 'x'), (2, 2, 'x');
-- change
alter table t add unique (a), add constraint ab unique (b, a) include (id);
insert into t values (3, 3, 'x');
alter table t drop constraint ab;
