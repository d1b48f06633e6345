-- before
create table t (id int primary key, v text, w text, x text);
insert into t values (1, repeat('x', 9000), 'a', 'b');
-- change
alter table t alter v set storage external, alter w set storage main, alter x set compression pglz;
update t set w = 'c';
