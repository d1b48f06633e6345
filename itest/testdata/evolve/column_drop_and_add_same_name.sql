-- before
create table t (id int primary key, v text);
insert into t values (1, 'old'), (2, 'old');
-- change
update t set v = 'older' where id = 1;
alter table t drop v;
insert into t values (3);
alter table t add v text;
update t set v = 'new' where id = 2;
