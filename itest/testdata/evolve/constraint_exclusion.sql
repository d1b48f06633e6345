-- before
create table t (id int primary key, c circle);
insert into t values (1, '<(0,0),1>');
-- change
alter table t add constraint apart exclude using gist (c with &&) where (id > 0);
insert into t values (2, '<(10,10),1>');
alter table t add constraint later exclude using gist (c with ~=) deferrable initially deferred;
update t set c = '<(20,20),1>' where id = 1;
