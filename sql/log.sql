-- The log, alike on the master and on every PostgreSQL replica. Safe to run again.

create schema if not exists bridge;

create table if not exists bridge.version (
  one boolean primary key default true check (one),
  number integer not null
);

-- The log's lives. An epoch begins behind block after_seq, whose chain checksum (for the
-- first epoch: the anchor made by init) is checksum; its first block is chained to it.
create table if not exists bridge.epoch (
  epoch integer primary key,
  after_seq bigint not null,
  start_lsn pg_lsn not null,
  checksum bytea not null,
  model bytea not null,
  started_at timestamptz not null default pg_catalog.now(),
  reason text not null
);

-- Each model that blocks of the log are written under, and the objects it is made of.
create table if not exists bridge.model (
  checksum bytea primary key,
  objects bytea[] not null,        -- checksums, ascending
  seq bigint not null              -- the last block in which it came into force
);

create table if not exists bridge.model_object (
  checksum bytea primary key,
  kind text not null,
  name text not null,
  definition text not null
);

-- When entries of the model changed: the end of the transaction that changed them, or when they were seen
-- so. What another transaction saw before that does not count; see change.Evolution. Only the master's log
-- has rows here, and only those that a transaction can ask for which is not in the log yet.
create table if not exists bridge.model_change (
  class oid not null,
  oid oid not null,
  lsn pg_lsn not null,
  primary key (class, oid)
);

-- The sync table: a row a commit block. See commitlog/FORMAT.md.
create table if not exists bridge.commit_block (
  seq bigint not null primary key,
  epoch integer not null,
  xid bigint not null,
  commit_lsn pg_lsn not null,
  commit_time timestamptz not null,
  model bytea not null,
  checksum bytea not null,
  parts integer not null,
  bytes bigint not null,
  payload bytea not null
) partition by range (seq);

-- Further parts of large blocks; part 0 is commit_block.payload.
create table if not exists bridge.commit_part (
  seq bigint not null,
  part integer not null,
  payload bytea not null,
  primary key (seq, part)
) partition by range (seq);

-- Payloads are compressed already. Only where it is not so yet: this takes a lock that a
-- running bridge would have to wait for.
do $$
declare
  name text;
begin
  for name in
    select pg_catalog.format('bridge.%I', (select c.relname from pg_catalog.pg_class c where c.oid = a.attrelid))
    from pg_catalog.pg_attribute a
    where a.attrelid in ('bridge.commit_block'::pg_catalog.regclass, 'bridge.commit_part'::pg_catalog.regclass)
      and a.attname = 'payload' and a.attstorage <> 'e'
  loop
    execute 'alter table ' || name || ' alter column payload set storage external';
  end loop;
end
$$;

-- Makes the partitions that take block next_seq, when there are none, and returns the
-- first seq behind them. A partition is meant to hold about 64 MiB.
create or replace function bridge.add_partition(next_seq bigint) returns bigint
language plpgsql
set search_path = ''
as $$
declare
  lower_seq bigint;
  upper_seq bigint;
  width bigint := 16384;
  last_name text;
  last_bytes bigint;
  name text;
begin
  select p.upper_seq, p.name, p.upper_seq - p.lower_seq into upper_seq, last_name, width
  from bridge.log_partition p
  order by p.upper_seq desc
  limit 1;
  if upper_seq > next_seq then
    return upper_seq;
  end if;
  lower_seq := coalesce(upper_seq, next_seq);
  if last_name is not null then
    last_bytes := pg_catalog.pg_total_relation_size(('bridge.' || last_name)::regclass)
      + pg_catalog.pg_total_relation_size(('bridge.' || pg_catalog.replace(last_name, 'commit_block_', 'commit_part_'))::regclass);
    width := case
      when last_bytes > 128 * 1024 * 1024 then greatest(width / 2, 256)
      when last_bytes < 32 * 1024 * 1024 then least(width * 2, 131072)
      else width
    end;
  end if;
  upper_seq := greatest(lower_seq + coalesce(width, 16384), next_seq + 1);
  foreach name in array array['commit_block', 'commit_part'] loop
    execute pg_catalog.format('create table bridge.%I (like bridge.%I including all)', name || '_' || lower_seq, name);
    execute pg_catalog.format('alter table bridge.%I attach partition bridge.%I for values from (%s) to (%s)',
      name, name || '_' || lower_seq, lower_seq, upper_seq);
  end loop;
  return upper_seq;
end
$$;

-- The partitions of the sync table with their bounds, taken from the catalog.
create or replace view bridge.log_partition as
select c.relname as name,
  (pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid), 'FROM [(]''([0-9]+)''[)]'))[1]::bigint as lower_seq,
  (pg_catalog.regexp_match(pg_catalog.pg_get_expr(c.relpartbound, c.oid), 'TO [(]''([0-9]+)''[)]'))[1]::bigint as upper_seq
from pg_catalog.pg_inherits i
join pg_catalog.pg_class c on c.oid = i.inhrelid
where i.inhparent = 'bridge.commit_block'::pg_catalog.regclass;

-- Drops the partitions all of whose blocks stand below keep_seq, but never the last one:
-- the log's head is what the next block is chained to. Returns how many were dropped.
create or replace function bridge.drop_partitions(keep_seq bigint) returns integer
language plpgsql
set search_path = ''
as $$
declare
  name text;
  names text[];
begin
  -- Not a loop over the query: it reads what is dropped.
  select coalesce(pg_catalog.array_agg(p.name order by p.lower_seq), '{}')
  into names
  from bridge.log_partition p
  where p.upper_seq <= least(keep_seq, coalesce((select pg_catalog.max(b.seq) from bridge.commit_block b), 0));
  foreach name in array names loop
    execute pg_catalog.format('drop table bridge.%I', name);
    execute pg_catalog.format('drop table bridge.%I', pg_catalog.replace(name, 'commit_block_', 'commit_part_'));
  end loop;
  return pg_catalog.cardinality(names);
end
$$;

-- Drops the models that no stored block needs: all that were followed by another one before the
-- oldest block. Models that come into force meanwhile wait. Returns how many were dropped.
create or replace function bridge.drop_models() returns integer
language plpgsql
set search_path = ''
as $$
declare
  oldest bigint;
  dropped integer;
  candidates bytea[];
begin
  lock table bridge.model in share row exclusive mode;
  -- The one in force before the oldest block is needed: it is the last that came before.
  select pg_catalog.max(m.seq) into oldest
  from bridge.model m
  where m.seq < (select pg_catalog.min(b.seq) from bridge.commit_block b);
  with gone as (
    delete from bridge.model m where m.seq < oldest returning m.objects
  ), objects as (
    select distinct o from gone, pg_catalog.unnest(gone.objects) o
  )
  select (select pg_catalog.count(*) from gone), pg_catalog.array_agg(objects.o)
  into dropped, candidates
  from objects;
  if candidates is not null then
    with used as (
      select distinct o from bridge.model m, pg_catalog.unnest(m.objects) o
    )
    delete from bridge.model_object x
    where x.checksum = any (candidates) and not exists (select from used where used.o = x.checksum);
  end if;
  return dropped;
end
$$;
