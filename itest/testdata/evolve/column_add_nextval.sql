-- before
create table t (id int primary key);
insert into t select i from generate_series(100, 1, -1) i;
create sequence s start 1000;
-- change
alter table t add n bigint default nextval('s');
insert into t values (1000);
