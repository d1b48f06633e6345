-- before
create type mood as enum ('a', 'b');
create table p (id int primary key, v text, m mood default 'a');
create table k (id int primary key, p int references p on delete cascade);
create view pv as select p.id, m from p join k on k.p = p.id;
create materialized view mv as select count(*) as n from p;
create function total() returns bigint language sql as 'select count(*) from p';
insert into p values (1, 'x'), (2, 'y');
insert into k values (1, 1);
-- change
begin;
drop view pv;
alter type mood add value 'c';
alter table p rename to parents;
alter table parents rename v to value;
alter table parents alter value type varchar(20), add n numeric default 1.5, alter m set default 'b';
insert into parents values (3, 'z', 'a', 2);
alter table k rename p to parent;
alter table k add u uuid default gen_random_uuid();
delete from parents where id = 1;
create index on parents (value) where n > 0;
create view pv as select id, m, n from parents;
create or replace function total() returns bigint language sql as 'select count(*) from parents';
create table other as select * from parents;
refresh materialized view mv;
commit;
insert into parents values (4, 'w', 'c', 0);
refresh materialized view mv;
