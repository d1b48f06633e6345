-- before
create table p (id int primary key);
create table t (id int primary key, p int references p deferrable initially deferred);
insert into p values (1);
insert into t values (1, 1);
-- change
alter table t alter constraint t_p_fkey not deferrable;
insert into t values (2, 1);
alter table t alter constraint t_p_fkey deferrable initially deferred;
begin;
insert into t values (3, 3);
insert into p values (3);
commit;
