-- before
create type mood as enum ('a', 'b');
create type pair as (a int, b int);
create table t (id int primary key, v text);
-- change
create function to_pair(int) returns pair language sql immutable as 'select row($1, $1)::pair';
create cast (int as pair) with function to_pair(int) as assignment;
create cast (mood as text) with inout as implicit;
comment on cast (int as pair) is 'doubles';
insert into t values (1, 'a'::mood);
drop cast (mood as text);
