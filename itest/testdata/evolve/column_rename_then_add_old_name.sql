-- before
create table t (id int primary key, v text);
insert into t values (1, 'keep');
-- change
alter table t rename v to old_v;
alter table t add v text default 'fresh';
insert into t values (2, 'o', 'n');
