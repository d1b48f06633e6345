-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
analyze t;
vacuum t;
grant select on t to public;
revoke select on t from public;
alter table t owner to current_user;
checkpoint;
discard all;
update t set v = 'b';
