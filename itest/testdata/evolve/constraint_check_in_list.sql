-- before
create table t (id int primary key, kind varchar(10));
insert into t values (1, 'a');
-- change
alter table t add constraint kinds check (kind in ('a', 'b', 'c'));
alter table t add state text not null default 'new' check (state in ('new', 'old'));
insert into t values (2, 'b', 'old');
