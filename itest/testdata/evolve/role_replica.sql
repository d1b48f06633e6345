-- before
create table p (id int primary key);
create table t (id int primary key, p int references p);
-- change
set session_replication_role = replica;
alter table t add v text default 'x';
insert into t values (1, 99, 'y');
create table u (id int primary key);
insert into u values (1);
drop table p cascade;
set session_replication_role = origin;
insert into t values (2, 100);
