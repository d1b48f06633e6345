-- before
create table t (id int primary key, a int, b text, j jsonb);
-- change
create index t_i on t (a) include (b) with (fillfactor = 60);
create index t_o on t (b text_pattern_ops);
create index t_c on t (b collate "C");
create index t_j on t using gin (j jsonb_path_ops);
create index t_h on t using hash (b);
create index t_b on t using brin (a) with (pages_per_range = 8);
create index t_s on t using spgist (b);
insert into t values (1, 1, 'x', '{}');
