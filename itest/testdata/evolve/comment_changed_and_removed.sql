-- before
create table t (id int primary key, v text);
comment on table t is 'old';
comment on column t.v is 'old';
comment on column t.id is 'stays';
-- change
comment on table t is 'new';
comment on column t.v is null;
alter table t rename v to w;
alter table t rename id to key;
