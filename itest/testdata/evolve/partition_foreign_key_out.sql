-- before
create table p (id int primary key);
create table t (id int primary key, p int) partition by hash (id);
create table t_0 partition of t for values with (modulus 1, remainder 0);
insert into p values (1);
insert into t values (1, 1);
-- change
alter table t add constraint up foreign key (p) references p on delete cascade;
insert into t values (2, 1);
alter table t rename constraint up to upward;
delete from p;
