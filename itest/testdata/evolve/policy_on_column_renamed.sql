-- before
create table t (id int primary key, v text);
create table allowed (id int primary key);
alter table t enable row level security;
create policy own on t using (v = current_user and id in (select id from allowed));
-- change
alter table t rename v to owner;
alter table allowed rename to permitted;
insert into t values (1, 'a');
