-- constraints are added and dropped
create table t (a int, b int, c text, d int4range, constraint pk primary key (a), constraint u unique (b), constraint k check (a > 0));
create table r (a int);
insert into t values (1, 2, 'x', '[1,2)');
-- change
alter table t drop constraint pk, drop constraint u, drop constraint k;
alter table t add primary key (a, b), add unique (c), add check (b > 1), add exclude using gist (d with &&);
create table r2 (x int, y int, foreign key (x, y) references t deferrable);
----
alter table public.t drop constraint u;
alter table public.t drop constraint pk;
alter table public.t drop constraint k;
create table public.r2 (
	x integer,
	y integer
);
alter table public.t alter column b set not null;
alter table public.t add constraint t_b_check CHECK ((b > 1));
alter table only public.t add constraint t_pkey PRIMARY KEY (a, b);
alter table only public.t add constraint t_c_key UNIQUE (c);
alter table only public.t add constraint t_d_excl EXCLUDE USING gist (d WITH &&);
alter table only public.r2 add constraint r2_x_y_fkey FOREIGN KEY (x, y) REFERENCES public.t(a, b) DEFERRABLE;

-- a foreign key is dropped, another added
create table p (a int primary key, b int unique);
create table c (x int references p (a), y int);
insert into p values (1, 2); insert into c values (1, 2);
-- change
alter table c drop constraint c_x_fkey;
alter table c add foreign key (y) references p (b) on delete cascade;
----
alter table public.c drop constraint c_x_fkey;
alter table only public.c add constraint c_y_fkey FOREIGN KEY (y) REFERENCES public.p(b) ON DELETE CASCADE;

-- constraints are renamed
create table t (a int, b int, constraint pk primary key (a), constraint u unique (b), constraint k check (a > 0));
create table c (x int constraint fk references t (a));
comment on constraint pk on t is 'key';
insert into t values (1, 2);
-- change
alter table t rename constraint pk to "PK";
alter table t rename constraint u to pk;
alter table t rename constraint k to kk;
alter table c rename constraint fk to fk2;
----
alter table public.t rename constraint k to kk;
alter index public.pk rename to "PK";
alter index public.u rename to pk;
alter table public.c rename constraint fk to fk2;

-- checks change names
create table t (a int, constraint k check (a > 0), constraint l check (a < 100));
-- change
alter table t rename constraint k to x;
alter table t rename constraint l to k;
alter table t rename constraint x to l;
----
alter table public.t rename constraint k to bridge_1;
alter table public.t rename constraint l to k;
alter table public.t rename constraint bridge_1 to l;

-- not valid and validated
create table t (a int primary key, b int);
alter table t add constraint k check (b > 0) not valid;
alter table t add constraint f foreign key (b) references t not valid;
-- change
alter table t validate constraint k;
alter table t validate constraint f;
alter table t add constraint k2 check (b > 1) not valid;
alter table t add constraint f2 foreign key (b) references t not valid;
----
alter table public.t validate constraint k;
alter table public.t add constraint k2 CHECK ((b > 1)) NOT VALID;
alter table public.t validate constraint f;
alter table only public.t add constraint f2 FOREIGN KEY (b) REFERENCES public.t(a) NOT VALID;

-- a foreign key becomes deferrable, and back
create table t (a int primary key, b int references t, c int references t deferrable initially deferred);
insert into t values (1, 1, 1);
-- change
alter table t alter constraint t_b_fkey deferrable initially deferred;
alter table t alter constraint t_c_fkey not deferrable;
----
alter table public.t alter constraint t_b_fkey deferrable initially deferred;
alter table public.t alter constraint t_c_fkey not deferrable;

-- a foreign key loses initially deferred
create table t (a int primary key, c int references t deferrable initially deferred);
-- change
alter table t alter constraint t_c_fkey deferrable initially immediate;
----
alter table public.t alter constraint t_c_fkey deferrable;

-- a primary key is replaced that others refer to
create table t (a int primary key, b int unique not null);
create table c (x int references t);
insert into t values (1, 2); insert into c values (1);
-- change
alter table t drop constraint t_pkey cascade;
alter table t add primary key (b);
alter table t add constraint t_a unique (a);
alter table c add foreign key (x) references t (a);
----
alter table public.c drop constraint c_x_fkey;
alter table public.t drop constraint t_pkey;
alter table only public.t add constraint t_pkey PRIMARY KEY (b);
alter table only public.t add constraint t_a UNIQUE (a);
alter table only public.c add constraint c_x_fkey FOREIGN KEY (x) REFERENCES public.t(a);

-- a type changes on both sides of a foreign key
create table t (a int primary key);
create table c (x int references t);
insert into t values (1); insert into c values (1);
-- change
alter table c alter x type bigint;
alter table t alter a type bigint;
----
alter table public.c alter column x type bigint;
alter table public.t alter column a type bigint;

-- foreign keys in a circle, dropped
create table t (a int primary key);
create table u (a int primary key references t);
alter table t add foreign key (a) references u;
-- change
drop table t, u;
----
alter table public.t drop constraint t_a_fkey;
drop table public.u;
drop table public.t;

-- only one of two tables that refer to each other is dropped
create table t (a int primary key);
create table u (a int primary key references t);
alter table t add foreign key (a) references u;
-- change
drop table u cascade;
----
alter table public.t drop constraint t_a_fkey;
drop table public.u;

-- a unique index becomes a constraint
create table t (a int not null, b int);
create unique index i on t (a);
insert into t values (1, 2);
-- change
alter table t add constraint u unique using index i;
----
drop index public.i;
alter table only public.t add constraint u UNIQUE (a);

-- an exclusion constraint
create table t (a int, d int4range, exclude using gist (d with &&) where (a > 0));
insert into t values (1, '[1,2)');
-- change
alter table t rename a to aa;
alter table t rename constraint t_d_excl to x;
----
alter index public.t_d_excl rename to x;
alter table public.t rename column a to aa;

-- indexes are created, dropped and renamed
create table t (a int, b text);
create index i on t (a);
create index j on t (b);
create index k on t (a, b);
comment on index i is 'i';
insert into t values (1, 'x');
-- change
drop index k;
alter index i rename to l;
alter index j rename to i;
create unique index k on t using btree (a desc nulls last) include (b) where a > 0;
----
drop index public.k;
alter index public.i rename to l;
alter index public.j rename to i;
CREATE UNIQUE INDEX k ON public.t USING btree (a DESC NULLS LAST) INCLUDE (b) WHERE (a > 0);

-- settings of indexes
create table t (a int, b text);
create index i on t (a, (a + 1)) with (fillfactor = 70);
create index j on t using gin (to_tsvector('english', b)) with (fastupdate = off);
create index k on t ((b || 'x'));
alter index k alter column 1 set statistics 100;
create table u (a int primary key with (fillfactor = 60));
-- change
alter index i set (fillfactor = 80);
alter index i alter column 2 set statistics 500;
alter index j reset (fastupdate);
alter index k alter column 1 set statistics -1;
alter index u_pkey set (fillfactor = 70);
----
alter index public.i set (fillfactor='80');
alter index public.i alter column 2 set statistics 500;
alter index public.j reset (fastupdate);
alter index public.k alter column 1 set statistics -1;

-- an index with an expression that is replaced
create function f(int) returns int language sql immutable as 'select $1';
create table t (a int);
create index i on t (f(a));
insert into t values (1);
-- change
create or replace function f(int) returns int language sql immutable as 'select $1 + 1';
----
CREATE OR REPLACE FUNCTION public.f(integer)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
AS $function$select $1 + 1$function$;

-- the replica identity's index is replaced
create table t (a int not null, b int not null);
create unique index i on t (a);
alter table t replica identity using index i;
insert into t values (1, 2);
-- change
drop index i;
create unique index i on t (b);
alter table t replica identity using index i;
----
drop index public.i;
CREATE UNIQUE INDEX i ON public.t USING btree (b);
alter table only public.t replica identity using index i;

-- the replica identity's index is renamed
create table t (a int not null, b int not null);
create unique index i on t (a);
alter table t replica identity using index i;
-- change
alter index i rename to ii;
----
alter index public.i rename to ii;

-- statistics
create table t (a int, b int, c int);
create statistics s1 on a, b from t;
create statistics s2 (ndistinct) on b, c from t;
create statistics s3 on (a + 1), b from t;
comment on statistics s1 is 's';
-- change
alter statistics s1 rename to s4;
alter statistics s2 set statistics 100;
drop statistics s3;
create statistics s3 on a, c from t;
alter table t rename a to aa;
----
drop statistics public.s3;
alter statistics public.s1 rename to s4;
alter table public.t rename column a to aa;
alter statistics public.s2 set statistics 100;
CREATE STATISTICS public.s3 ON aa, c FROM public.t;

-- a column in statistics is dropped
create table t (a int, b int, c int);
create statistics s1 on a, b, c from t;
create index on t (a, b);
-- change
alter table t drop c;
----
drop statistics public.s1;
alter table public.t drop column c;

-- a list of a varchar's values is rendered with a cast that is read otherwise
create table t (v varchar(10), w varchar default case when 'a'::varchar in ('b', 'c') then 'x' end);
insert into t values ('a'), ('b');
-- change
alter table t add constraint t_v check (v in ('a', 'b'));
alter table t add check (v not in ('x', 'y') or w in ('z', lower(v)));
create index on t (v) where v in ('a', 'b');
create view s as select v from t where v in ('a', 'c');
create table u (v varchar check (v in ('a', 'b')), w bool generated always as (v in ('c', 'd')) stored);
create domain d as varchar(5) check (value in ('a', 'b'));
create policy p on t using (v in ('a', 'b'));
create rule r as on insert to t where new.v in ('q', 'r') do nothing;
----
create domain public.d as character varying(5) constraint d_check CHECK (((VALUE)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying]::character varying[])::text[])));
create table public.u (
	v character varying,
	w boolean generated always as (((v)::text = ANY ((ARRAY['c'::character varying, 'd'::character varying]::character varying[])::text[]))) stored,
	constraint u_v_check CHECK (((v)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying]::character varying[])::text[])))
);
alter table public.t add constraint t_check CHECK ((((v)::text <> ALL ((ARRAY['x'::character varying, 'y'::character varying]::character varying[])::text[])) OR (((w)::text = 'z'::text) OR ((w)::text = lower((v)::text)))));
alter table public.t add constraint t_v CHECK (((v)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying]::character varying[])::text[])));
create view public.s as
SELECT t.v
   FROM public.t
  WHERE ((t.v)::text = ANY ((ARRAY['a'::character varying, 'c'::character varying]::character varying[])::text[]));
CREATE INDEX t_v_idx ON public.t USING btree (v) WHERE ((v)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying]::character varying[])::text[]));
CREATE RULE r AS
    ON INSERT TO public.t
   WHERE ((new.v)::text = ANY ((ARRAY['q'::character varying, 'r'::character varying]::character varying[])::text[])) DO NOTHING;
create policy p on public.t as permissive for all to public using (((v)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying]::character varying[])::text[])));
