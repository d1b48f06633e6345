-- before
create table p (id int, v text, check (id > 0));
create table k (id int, v text, constraint p_id_check check (id > 0));
create table j () inherits (p);
insert into k values (1, 'k');
insert into j values (2, 'j');
-- change
alter table k inherit p;
alter table j no inherit p;
insert into p values (3, 'p');
