-- before
create sequence s;
-- change
alter sequence s increment 5 minvalue -10 maxvalue 1000 start 7 cache 3 cycle;
comment on sequence s is 'counts';
alter sequence s as smallint;
