-- before
create table t (id int primary key, v text);
-- change
prepare p as insert into t values ($1, $2);
execute p(1, 'a');
alter table t add w int default 7;
execute p(2, 'b');
deallocate p;
