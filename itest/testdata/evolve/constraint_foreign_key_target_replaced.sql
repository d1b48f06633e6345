-- before
create table p (id int primary key, code int unique);
create table t (id int primary key, p int references p);
insert into p values (1, 10);
insert into t values (1, 1);
-- change
begin;
alter table t drop constraint t_p_fkey;
update t set p = 10;
alter table t add foreign key (p) references p (code);
commit;
insert into t values (2, 10);
