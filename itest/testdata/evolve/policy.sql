-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
alter table t enable row level security;
create policy own on t for select using (v = current_user);
create policy restr on t as restrictive for insert to pg_monitor with check (id > 0);
alter table t force row level security;
alter policy own on t rename to mine;
alter policy mine on t to pg_read_all_stats using (v = 'x');
comment on policy mine on t is 'mine';
insert into t values (2, 'b');
