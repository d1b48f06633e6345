-- before
create table t (id int primary key, up int);
insert into t values (1, null), (2, 1);
-- change
create recursive view tree (id, depth) as select id, 0 from t where up is null union all select t.id, tree.depth + 1 from t join tree on t.up = tree.id;
create view l as select t.id, x.n from t cross join lateral (select count(*) as n from t s where s.up = t.id) x;
create view g as select up, count(*) filter (where id > 0), array_agg(id order by id) from t group by grouping sets ((up), ());
insert into t values (3, 2);
