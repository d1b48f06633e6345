-- if select count(*) > 0 from pg_available_extensions where name = 'file_fdw'
-- before
create table t (id int primary key);
-- change
create table u (id int primary key, v text);
insert into u values (1, 'a');
alter table t add v text default 'x';
