-- before
create table p (id int primary key, v text default 'p');
-- change
create table k (extra int, v text default 'k') inherits (p);
insert into p values (1);
insert into k values (2, 'x', 3);
update p set v = 'all';
