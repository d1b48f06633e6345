-- What a replica keeps of itself. Safe to run again.

-- How far the replica is: one row, changed in the transaction that applies.
create table if not exists bridge.position (
  one boolean primary key default true check (one),
  name text not null,              -- the replica's name in the configuration
  epoch integer not null,
  seq bigint not null,
  commit_lsn pg_lsn not null,
  checksum bytea not null,
  model bytea not null,
  commit_time timestamptz,         -- of the last block that was applied
  state text not null,             -- copying, catching_up, streaming
  consistent_lsn pg_lsn,           -- while catching up behind a copy: the tables are consistent from here on
  ahead bytea,                     -- the model that the schema is at already, while the stream has not come there
  reduced boolean not null default false, -- what a new replica gets last (indexes, foreign keys, triggers) is not made yet
  error text not null default '',  -- why the replica stands still
  error_at timestamptz,
  drift text[] not null default '{}', -- what was changed by hand in the schema
  looked text not null default ''  -- a signature of the schema as it was when nothing had been, and of what it was compared with
) with (fillfactor = 10);
alter table bridge.position add column if not exists drift text[] not null default '{}'; -- of a replica that was made before
alter table bridge.position add column if not exists looked text not null default '';

-- The statements that make the schema of a new replica, in order, and what else a copy has to do at its end.
create table if not exists bridge.copy_step (
  phase text not null,             -- pre, keys, post; refresh, validate: what waits for the end of a copy
  ordinal integer not null,
  object text not null,
  statement text not null,
  roles text[],                    -- that have to exist for a statement on owners or privileges; null for others
  done boolean not null default false,
  primary key (phase, ordinal)
);

-- Indexes that are built beside the stream. The schema is that of its model without them.
create table if not exists bridge.pending_index (
  relid oid not null primary key,  -- of the index, on the master
  schema_name text not null,
  table_name text not null,
  index_name text not null,
  statements text[] not null,      -- that make it; the first one creates it
  failures integer not null default 0,
  error text not null default ''   -- why the last attempt failed
);

-- The tables that are or were copied. A finished table has no row.
create table if not exists bridge.copy_table (
  schema_name text not null,
  table_name text not null,
  relid oid not null primary key,  -- on the master
  state text not null,             -- wanted: it is to be begun, whatever is noted of it; copying; copied: again, while the replica was live
  planned boolean not null default false,
  estimated_rows bigint not null,
  estimated_bytes bigint not null,
  settle boolean not null default false -- transactions that wrote to it before it was published are waited for
);

-- Ranges of a table's key. A chunk's rows are loaded in the transaction that sets snapshot:
-- what the master's snapshot, in which they were read, saw.
create table if not exists bridge.copy_chunk (
  relid oid not null references bridge.copy_table on delete cascade,
  chunk integer not null,          -- below 0: the single row with that key
  lower_key text[],                -- exclusive; null: from the start
  upper_key text[],                -- inclusive; null: to the end
  snapshot text,
  rows bigint,
  primary key (relid, chunk)
);
