-- before
create table t (id int primary key, rank int);
insert into t select i, i from generate_series(1, 20) i;
-- change
alter table t add constraint ranks unique (rank) deferrable initially deferred;
update t set rank = 21 - rank;
insert into t values (21, 21);
