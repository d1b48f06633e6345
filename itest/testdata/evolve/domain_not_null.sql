-- before
create domain d as text;
create table t (id int primary key, v d);
insert into t values (1, 'a');
-- change
alter domain d set not null;
comment on domain d is 'a domain';
