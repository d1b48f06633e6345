-- columns of a parent
create table p (a int, b text default 'x' not null, c int check (c > 0));
create table q (d int) inherits (p);
create table r () inherits (q);
insert into q values (1, 'x', 2, 3);
-- change
alter table p add e int default 4;
alter table p rename b to bb;
alter table p alter c set not null, alter bb drop not null;
alter table p alter a type bigint;
----
alter table public.p rename column b to bb;
alter table public.p alter column a type bigint;
alter table public.p add column e integer;
alter table public.p alter column bb drop not null;
alter table public.p alter column c set not null;
alter table only public.p alter column e set default 4;
alter table only public.q alter column e set default 4;
alter table only public.r alter column e set default 4;

-- a parent's column is dropped
create table p (a int, b text, c int);
create table q (d int) inherits (p);
create table r () inherits (q);
insert into q values (1, 'x', 2, 3);
-- change
alter table p drop b;
alter table only p drop c;
----
alter table public.p drop column b;
alter table only public.p drop column c;
alter table public.q drop column if exists b;
alter table public.r drop column if exists b;

-- a parent's check is dropped, another added
create table p (a int, constraint k check (a > 0));
create table q (constraint k check (a > 0)) inherits (p);
create table r () inherits (p);
-- change
alter table p drop constraint k;
alter table p add constraint k2 check (a < 100);
alter table p add constraint k3 check (a < 99) no inherit;
----
alter table public.p drop constraint k;
alter table public.p add constraint k2 CHECK ((a < 100));
alter table public.p add constraint k3 CHECK ((a < 99)) NO INHERIT;
alter table public.q drop constraint if exists k;
alter table public.q add constraint k CHECK ((a > 0));

-- inherit and no inherit
create table p (a int, constraint k check (a > 0));
create table p2 (a int);
create table q () inherits (p);
create table r (a int, constraint k check (a > 0));
insert into q values (1);
-- change
alter table q no inherit p;
alter table r inherit p;
alter table r inherit p2;
----
alter table only public.q no inherit public.p;
alter table only public.r inherit public.p;
alter table only public.r inherit public.p2;

-- a parent is dropped, the child stays
create table p (a int, b text);
create table q () inherits (p);
insert into q values (1, 'x');
-- change
alter table q no inherit p;
drop table p;
----
alter table only public.q no inherit public.p;
drop table public.p;

-- parent and child are dropped
create table p (a int, b text);
create table q () inherits (p);
create table r (x int, a int, b text);
alter table r inherit p;
-- change
drop table p cascade;
----
drop table public.r;
drop table public.q;
drop table public.p;

-- a child is added
create table p (a int primary key, b text default 'x');
-- change
create table q (c int) inherits (p);
create table r (b text default 'y', c int) inherits (p);
alter table p add d int;
----
alter table public.p add column d integer;
create table public.q (
	a integer not null,
	b text,
	c integer,
	d integer
);
create table public.r (
	a integer not null,
	b text default 'y'::text,
	c integer,
	d integer
);
alter table only public.q alter column b set default 'x'::text;
alter table only public.q inherit public.p;
alter table only public.r inherit public.p;

-- parents and children change names
create table p (a int, constraint k check (a > 0));
create table q () inherits (p);
insert into q values (1);
-- change
alter table p rename to x;
alter table q rename to p;
alter table x rename to q;
alter table q rename constraint k to kk;
alter table q rename a to aa;
----
alter table public.p rename constraint k to kk;
alter table public.p rename to bridge_1;
alter table public.q rename to p;
alter table public.bridge_1 rename to q;
alter table public.q rename column a to aa;

-- defaults and not null of a child
create table p (a int, b int not null);
create table q () inherits (p);
-- change
alter table q alter a set default 5, alter a set not null;
alter table p alter b set default 6;
alter table only p alter a set default 7;
----
alter table public.q alter column a set not null;
alter table only public.p alter column a set default 7;
alter table only public.p alter column b set default 6;
alter table only public.q alter column a set default 5;
alter table only public.q alter column b set default 6;

-- a child keeps not null
create table p (a int not null, b int not null);
create table q () inherits (p);
create table r (a int not null) inherits (p);
-- change
alter table p alter b drop not null;
----
alter table public.p alter column b drop not null;

-- a parent gets a column and loses checks while its child's columns change
create table p (a int not null, b text default 'p', constraint k check (a > 0));
create table c (c int) inherits (p);
insert into c values (2, 'x', 3);
-- change
alter table p drop constraint k;
alter table p alter a drop not null;
alter table c alter a set not null;
alter table c alter b set default 'c';
alter table p add d int default 7;
alter table p alter b set default 'p2';
alter table p add constraint k check (a > 1);
----
alter table public.p drop constraint k;
alter table public.p add column d integer default 7;
alter table public.p alter column a drop not null;
alter table public.c alter column a set not null;
alter table only public.c alter column b set default 'p2'::text;
alter table only public.c alter column d set default 7;
alter table only public.p alter column b set default 'p2'::text;
alter table public.p add constraint k CHECK ((a > 1));
