-- before
create table t (a int, v text);
insert into t values (1, 'a'), (2, 'b');
-- change
alter table t add g int generated always as (a * 2) stored, add primary key (a, g);
update t set v = 'c' where a = 1;
