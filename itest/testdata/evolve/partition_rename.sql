-- before
create table t (id int primary key, v text) partition by range (id);
create table t_1 partition of t for values from (0) to (100);
create index on t (v);
insert into t values (1, 'a');
-- change
alter table t_1 rename to first;
alter table t rename to parts;
alter index t_v_idx rename to by_v;
alter index t_1_pkey rename to first_key;
insert into parts values (2, 'b');
-- fails
alter index by_v rename to parts;
