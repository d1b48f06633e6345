-- before
create table t (id int primary key, "V" text, v text);
create table "T" (id int primary key);
insert into t values (1, 'upper', 'lower');
insert into "T" values (1);
-- change
alter table t rename v to "v ";
alter table t rename "V" to v;
alter table t rename "v " to "V";
drop table "T";
alter table t rename to "T";
insert into "T" values (2, 'was upper', 'was lower');
