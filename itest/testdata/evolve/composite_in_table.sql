-- before
create type pair as (a int, b text);
create table t (id int primary key, p pair, ps pair[]);
insert into t values (1, '(1,x)', array[row(2, 'y')::pair]);
-- change
alter type pair add attribute c int;
insert into t values (2, '(1,x,3)', null);
alter type pair rename attribute b to bb;
alter type pair drop attribute a;
insert into t values (3, '(z,4)', '{}');
