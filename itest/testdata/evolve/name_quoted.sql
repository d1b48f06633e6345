-- before
create table "Some ""Table"".x" ("Col umn" int primary key, "select" text, "ü" int);
insert into "Some ""Table"".x" values (1, 'a', 2);
-- change
alter table "Some ""Table"".x" rename "Col umn" to "new.""Name";
alter table "Some ""Table"".x" add "from" text default 'it''s';
create index "In dex" on "Some ""Table"".x" ("select", lower("from"));
alter table "Some ""Table"".x" add constraint "c:" check ("ü" > 0);
create view "V w" as select "new.""Name" as "x y" from "Some ""Table"".x";
alter table "Some ""Table"".x" rename to "Other's";
insert into "Other's" values (2, 'b', 3);
