-- before
create table p (id int primary key, code text unique);
create table t (id int primary key, p int, code text);
insert into p values (1, 'a'), (2, 'b');
insert into t values (1, 1, 'a');
-- change
alter table t add foreign key (p) references p on delete cascade on update cascade;
alter table t add constraint by_code foreign key (code) references p (code) on delete set null deferrable;
insert into t values (2, 2, 'b');
delete from p where id = 1;
update p set id = 5 where id = 2;
