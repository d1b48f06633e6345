-- before
create table p (id int primary key);
create table t (id int primary key, a int unique, b int check (b > 0), p int references p);
-- change
alter table t rename constraint t_pkey to the_key;
alter table t rename constraint t_a_key to the_unique;
alter table t rename constraint t_b_check to the_check;
alter table t rename constraint t_p_fkey to the_reference;
insert into t values (1, 1, 1);
