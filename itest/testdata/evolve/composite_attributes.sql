-- before
create type pair as (a int, b text);
create function f(pair) returns int language sql as 'select ($1).a';
-- change
alter type pair add attribute c date;
alter type pair rename attribute a to aa;
alter type pair alter attribute b type varchar(5);
alter type pair drop attribute c;
comment on column pair.b is 'second';
