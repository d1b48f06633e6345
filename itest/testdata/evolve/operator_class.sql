-- before
create table t (id int primary key, v int);
insert into t values (1, 1), (2, -2);
-- change
create function abs_cmp(int, int) returns int language sql immutable as 'select btint4cmp(abs($1), abs($2))';
create operator family abs_family using btree;
create operator class abs_ops for type int using btree family abs_family as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 abs_cmp(int, int);
create index on t (v abs_ops);
comment on operator class abs_ops using btree is 'by magnitude';
insert into t values (3, 3);
