-- before
create table t (id int not null, v text);
insert into t values (1, 'a'), (2, 'b');
-- change
update t set v = 'c' where id = 1;
alter table t add primary key (id);
update t set v = 'd' where id = 2;
delete from t where id = 1;
