-- before
create table t (id int primary key, body text);
insert into t values (1, 'the cats');
-- change
create text search dictionary stem (template = snowball, language = 'english', stopwords = 'english');
create text search configuration ours (copy = pg_catalog.simple);
alter text search configuration ours alter mapping for asciiword with stem, simple;
create index on t using gin (to_tsvector('ours', body));
insert into t values (2, 'dogs');
