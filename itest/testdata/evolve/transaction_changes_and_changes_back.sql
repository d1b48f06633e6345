-- before
create table t (id int primary key, v text);
insert into t values (1, 'a');
-- change
begin;
alter table t rename to u;
alter table u add w int;
insert into u values (2, 'b', 3);
alter table u drop w;
alter table u rename to t;
commit;
