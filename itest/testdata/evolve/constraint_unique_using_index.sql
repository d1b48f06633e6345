-- before
create table t (id int not null, a int);
create unique index t_u on t (a);
create unique index t_i on t (id);
insert into t values (1, 1);
-- change
alter table t add constraint the_u unique using index t_u;
alter table t add primary key using index t_i;
update t set a = 5 where id = 1;
