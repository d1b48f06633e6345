create table app.distinct_nulls (a integer, b integer, unique nulls not distinct (a));
create unique index distinct_index on app.distinct_nulls (b) nulls not distinct;
create view app.invoker with (security_invoker = true) as select a from app.distinct_nulls;
create unlogged sequence app.unlogged_seq;
create table app.set_null (a integer, b integer, foreign key (a) references app.silent (a) on delete set null (a));
