-- before
create table t (id int primary key, v text);
-- change
comment on table t is 'it''s a table';
comment on column t.v is E'two\nlines';
comment on constraint t_pkey on t is 'key';
comment on index t_pkey is 'index';
insert into t values (1, 'a');
