-- before
create table t (id int primary key, v text);
alter table t enable row level security, force row level security;
create policy own on t using (v = current_user);
insert into t values (1, 'a');
-- change
drop policy own on t;
alter table t no force row level security;
alter table t disable row level security;
insert into t values (2, 'b');
