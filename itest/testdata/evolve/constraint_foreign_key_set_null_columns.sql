-- since 15
-- before
create table p (a int, b int, primary key (a, b));
create table t (id int primary key, a int not null, b int);
insert into p values (1, 1);
insert into t values (1, 1, 1);
-- change
alter table t add foreign key (a, b) references p on delete set null (b);
delete from p;
