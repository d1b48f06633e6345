-- before
create schema bridges;
create table commit_block (seq int primary key, v text);
create table bridges.model (id int primary key);
insert into commit_block values (1, 'a');
-- change
alter table commit_block add payload text;
alter table bridges.model rename to position;
insert into commit_block values (2, 'b', 'c');
insert into bridges.position values (1);
