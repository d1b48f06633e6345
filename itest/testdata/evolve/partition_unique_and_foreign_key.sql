-- before
create table t (id int, v text) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
create table r (id int primary key, t int);
insert into t values (1, 'a');
-- change
alter table t add primary key (id);
alter table t add unique (id, v);
alter table r add foreign key (t) references t;
insert into r values (1, 1);
create table t_2 partition of t for values from (100) to (200);
insert into t values (101, 'b');
