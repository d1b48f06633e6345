-- if select count(*) > 0 from pg_collation where collprovider = 'i'
-- before
create table t (id int primary key, v text);
insert into t values (1, 'b'), (2, 'A');
-- change
create collation loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
alter table t add w text collate loose, alter v type text collate loose;
create unique index on t (v);
comment on collation loose is 'no case';
insert into t values (3, 'x', 'y');
