-- before
create table stays (id int primary key);
-- change
begin;
savepoint s;
create table t (id int primary key);
insert into t values (1);
rollback to s;
insert into stays values (1);
commit;
begin;
create table t (id text primary key);
rollback;
create table t (v text);
insert into t values ('kept');
