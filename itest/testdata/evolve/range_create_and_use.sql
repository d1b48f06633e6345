-- before
create table t (id int primary key);
-- change
create function minus(float8, float8) returns float8 language sql immutable as 'select $1 - $2';
create type floats as range (subtype = float8, subtype_diff = minus);
alter table t add r floats, add m floats_multirange, add constraint x exclude using gist (r with &&);
insert into t values (1, '[1.5,2.5)', '{[1,2),[3,4)}');
