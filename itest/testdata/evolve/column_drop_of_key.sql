-- before
create table t (id int primary key, v text);
insert into t values (1, 'a'), (2, 'b');
-- change
alter table t drop id;
update t set v = 'c' where v = 'a';
insert into t values ('d');
