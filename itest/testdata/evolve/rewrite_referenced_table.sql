-- before
create table p (id int primary key, code int unique);
create table k (id int primary key, p int references p on delete cascade);
insert into p select i, i from generate_series(1, 30) i;
insert into k select i, i from generate_series(1, 30) i;
-- change
alter table p add token uuid default gen_random_uuid() unique;
delete from p where id = 3;
insert into p values (100, 100);
insert into k values (100, 100);
