-- before
create table t (id int primary key, v text);
insert into t values (1, 'old'), (2, 'old');
-- change
begin;
insert into t values (3, 'older');
drop table t;
create table t (id int primary key, v text);
insert into t values (1, 'new');
commit;
update t set v = 'newer';
