-- before
create text search dictionary stem (template = snowball, language = 'english');
create text search configuration ours (parser = pg_catalog."default");
alter text search configuration ours add mapping for word, asciiword with stem;
create table t (id int primary key, body text, v tsvector generated always as (to_tsvector('english', coalesce(body, ''))) stored);
-- change
alter text search configuration ours drop mapping for word;
alter text search configuration ours add mapping for int with simple;
alter text search dictionary stem (language = 'german');
alter text search configuration ours rename to theirs;
alter text search dictionary stem rename to root;
insert into t values (1, 'a b');
