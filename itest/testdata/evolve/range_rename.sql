-- before
create type texts as range (subtype = text, collation = "C");
create table t (id int primary key, r texts);
insert into t values (1, '[a,b)');
-- change
alter type texts rename to words;
insert into t values (2, '[c,d]');
