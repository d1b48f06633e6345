-- before
create type e as enum ();
create table t (id int primary key, m e);
-- change
alter type e add value '';
alter type e add value 'it''s "odd" \ ,{}';
alter type e add value 'ümläut';
insert into t values (1, ''), (2, 'it''s "odd" \ ,{}'), (3, 'ümläut');
