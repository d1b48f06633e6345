-- before
create table t (id int primary key, c circle, constraint apart exclude using gist (c with &&));
insert into t values (1, '<(0,0),1>');
-- change
alter table t drop constraint apart;
insert into t values (2, '<(0,0),1>');
