-- before
create table t (id int primary key, v text);
insert into t values (1, 'old'), (2, 'old');
-- change
alter table t drop v, add v text default 'fresh';
insert into t values (3);
