-- since 18
-- before
create table t (id int primary key, a int);
insert into t values (1, 1);
-- change
alter table t add constraint a_there not null a not valid;
alter table t validate constraint a_there;
alter table t rename constraint a_there to a_is_there;
