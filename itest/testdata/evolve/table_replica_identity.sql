-- before
create table t (id int primary key, code text not null, v text);
create unique index t_code on t (code);
insert into t values (1, 'a', 'x'), (2, 'b', 'y');
-- change
alter table t replica identity using index t_code;
update t set v = 'z' where id = 1;
update t set code = 'c' where id = 2;
alter table t replica identity full;
update t set v = 'q' where id = 2;
alter table t replica identity default;
delete from t where id = 1;
