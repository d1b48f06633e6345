-- before
create table t (id int primary key);
insert into t values (1), (2);
-- change
alter table t add n int default 5 check (n > 0) , add u int unique, add r int references t;
insert into t values (3, 1, 2, 1);
