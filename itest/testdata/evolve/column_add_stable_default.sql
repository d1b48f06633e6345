-- before
create table t (id int primary key);
insert into t select generate_series(1, 50);
-- change
alter table t add at timestamptz not null default now(), add who text default current_user, add day date default current_date;
insert into t values (1000);
