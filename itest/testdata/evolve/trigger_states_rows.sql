-- before
create table t (id int primary key, v text, n int default 0);
create table p (id int primary key, n int default 0) partition by range (id);
create table p1 partition of p for values from (0) to (100);
create table p2 partition of p for values from (100) to (200) partition by range (id);
create table p2a partition of p2 for values from (100) to (150);
create table r (id int primary key, v text);
create table noted (v text);
create function f() returns trigger language plpgsql as $$ begin new.n = new.n + 1; return new; end $$;
create function g() returns trigger language plpgsql as $$ begin return null; end $$;
create trigger a before insert or update on t for each row execute function f();
create trigger b before delete on t for each row execute function g();
create trigger c before insert on p for each row execute function f();
create rule d as on insert to r do also insert into noted values (new.v);
create rule e as on delete to r do instead nothing;
-- change
insert into t values (1, 'a'); insert into p values (1), (101); insert into r values (1, 'a');
alter table t enable always trigger a;
alter table t enable replica trigger b;
alter table p enable always trigger c;
alter table r enable always rule d;
alter table r enable replica rule e;
insert into t values (2, 'b'); insert into p values (2), (102); insert into r values (2, 'b');
update t set v = 'c'; delete from t where id = 1; delete from r where id = 1;
-- change at once
begin;
insert into t values (3, 'c'); insert into p values (3), (103);
alter table t add column w int;
insert into t values (4, 'd'); insert into p values (4), (104);
truncate r;
insert into r values (4, 'd');
alter table p1 disable trigger c;
alter table p2a enable replica trigger c;
insert into p values (5), (105);
commit;
-- change
alter table t alter id type bigint using id * 2;
insert into t values (5, 'e'); insert into p values (6), (106);
alter table p enable trigger c;
alter table t enable trigger a;
insert into t values (7, 'e'); insert into p values (7), (107);
