-- before
create table "表" ("列" int primary key, "😀" text);
insert into "表" values (1, 'a');
-- change
alter table "表" rename "😀" to "é́";
alter table "表" rename to "ééééééééééééééééééééééééééééééé";
create type "тип" as enum ('да', 'нет');
alter table "ééééééééééééééééééééééééééééééé" add "Σ" "тип" default 'да';
insert into "ééééééééééééééééééééééééééééééé" values (2, 'b', 'нет');
comment on column "ééééééééééééééééééééééééééééééé"."Σ" is '總和';
