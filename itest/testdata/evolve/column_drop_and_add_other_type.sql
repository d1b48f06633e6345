-- before
create table t (id int primary key, v text not null);
insert into t values (1, 'old'), (2, 'old');
-- change
begin;
insert into t values (3, 'older');
alter table t drop v;
alter table t add v int;
update t set v = 5 where id = 3;
commit;
