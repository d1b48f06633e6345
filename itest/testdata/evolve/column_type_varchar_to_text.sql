-- before
create table t (id int primary key, b varchar(10) unique check (b in ('a', 'b')));
insert into t values (1, 'a');
-- change
alter table t alter b type text;
insert into t values (2, 'b');
