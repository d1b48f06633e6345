-- before
create table "user" ("table" int primary key, "order" text);
insert into "user" values (1, 'a');
-- change
alter table "user" rename "order" to "group";
alter table "user" add "check" int default 1 constraint "primary" check ("check" > 0), add "null" text;
create index "index" on "user" ("group");
insert into "user" values (2, 'b', 2, 'c');
alter table "user" rename to "table";
