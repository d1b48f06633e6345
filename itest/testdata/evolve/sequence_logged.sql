-- since 15
-- before
create unlogged sequence s;
create sequence r;
-- change
alter sequence s set logged;
alter sequence r set unlogged;
