-- before
create table t (id int primary key, v text);
create table u (id int primary key, t int references t);
insert into t select i, 'v' from generate_series(1, 200) i;
-- change
begin;
update t set v = 'before' where id <= 20;
delete from t where id = 30;
alter table t add n int not null default 5;
update t set n = 6 where id <= 10;
alter table t rename v to w;
update t set w = 'after' where id > 190;
alter table t drop n;
insert into t values (1000, 'last');
insert into u values (1, 1000);
commit;
