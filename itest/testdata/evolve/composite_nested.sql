-- before
create type inner_t as (a int);
create type outer_t as (i inner_t, n int);
create table t (id int primary key, o outer_t);
insert into t values (1, row(row(1), 2)::outer_t);
-- change
alter type inner_t add attribute b text;
insert into t values (2, row(row(1, 'x'), 2)::outer_t);
