-- before
create table t (id int primary key, n int);
create sequence s;
-- change
alter sequence s owned by t.n;
alter table t alter n set default nextval('s');
insert into t values (1);
alter sequence s owned by none;
alter sequence s rename to q;
insert into t values (2);
