-- before
create table p (id int primary key);
create table t (id int primary key, p int);
insert into t values (1, 99);
-- change
alter table t add constraint fk foreign key (p) references p not valid;
insert into p values (99);
alter table t validate constraint fk;
insert into t values (2, 99);
