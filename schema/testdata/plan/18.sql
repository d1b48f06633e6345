-- not null constraints
create table t (a int, b int not null, c int, d int constraint dd not null);
alter table t add constraint cn not null c not valid;
comment on constraint dd on t is 'd';
insert into t values (1, 2, 3, 4);
-- change
alter table t validate constraint cn;
alter table t alter a set not null;
alter table t alter d drop not null;
alter table t alter b drop not null;
alter table t add e int constraint en not null default 5;
comment on constraint en on t is 'e';
----
comment on constraint dd on public.t is null;
alter table public.t add column e integer default 5 constraint en not null;
alter table public.t alter column a set not null;
alter table public.t alter column b drop not null;
alter table public.t validate constraint cn;
alter table public.t alter column d drop not null;
comment on constraint en on public.t is 'e';

-- a not valid not null is added
create table t (a int);
insert into t values (1);
-- change
alter table t add constraint n not null a not valid;
----
alter table public.t add constraint n NOT NULL a NOT VALID;

-- virtual columns
create table t (a int, v int generated always as (a + 1) virtual, w int generated always as (a * 2) virtual);
insert into t values (1);
-- change
alter table t alter v set expression as (a + 2);
alter table t drop w;
alter table t add x int generated always as (a * 3);
----
alter table public.t drop column w;
alter table public.t add column x integer generated always as ((a * 3)) virtual;
alter table public.t alter column v set expression as ((a + 2));

-- not enforced
create table t (a int primary key, b int, constraint k check (b > 0) not enforced, constraint f foreign key (b) references t not enforced);
alter table t add constraint g foreign key (b) references t;
insert into t values (1, 1);
-- change
alter table t alter constraint f enforced;
alter table t alter constraint g not enforced;
alter table t drop constraint k;
alter table t add constraint k2 check (b > 1) not enforced;
----
alter table public.t drop constraint g;
alter table public.t drop constraint f;
alter table public.t drop constraint k;
alter table public.t add constraint k2 CHECK ((b > 1)) NOT ENFORCED;
alter table only public.t add constraint f FOREIGN KEY (b) REFERENCES public.t(a);
alter table only public.t add constraint g FOREIGN KEY (b) REFERENCES public.t(a) NOT ENFORCED;

-- without overlaps
create extension btree_gist;
create table t (a int, d daterange, primary key (a, d without overlaps));
insert into t values (1, '[2024-01-01,2025-01-01)');
-- change
create table u (a int, d daterange, foreign key (a, period d) references t (a, period d));
alter table t rename d to dd;
----
alter table public.t rename column d to dd;
create table public.u (
	a integer,
	d daterange
);
alter table only public.u add constraint u_a_d_fkey FOREIGN KEY (a, PERIOD d) REFERENCES public.t(a, PERIOD dd);

-- inherit of not null and checks
create table p (a int not null, b int, constraint k check (b > 0));
create table q () inherits (p);
alter table p add constraint bn not null b no inherit;
-- change
alter table p alter constraint bn inherit;
alter table p alter a drop not null;
----
alter table public.p alter column a drop not null;
alter table public.p alter constraint bn inherit;
alter table public.q add constraint bn not null b;
