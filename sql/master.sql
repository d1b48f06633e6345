-- What the master has beside the log: who pulls, what is replicated, and the event triggers
-- that keep the publication in step with the tables. Safe to run again.
--
-- The functions pin search_path to "pg_catalog, pg_temp", which looks into the temporary schema
-- last; an empty one would look there first, for tables and types.

create table if not exists bridge.setting (
  one boolean primary key default true check (one),
  slot name not null,
  publication name not null,
  include text[] not null,
  exclude text[] not null
);

-- Who pulls, and how far each has come.
create table if not exists bridge.replica (
  name text primary key,
  kind text not null,
  epoch integer,
  seq bigint,
  commit_lsn pg_lsn,
  checksum bytea,
  state text not null,
  error text not null default '',
  registered_at timestamptz not null default pg_catalog.now(),
  updated_at timestamptz not null default pg_catalog.now()
) with (fillfactor = 50);

-- Replica identities that we changed: what they were, and what we made of them.
create table if not exists bridge.replica_identity (
  relid oid primary key,
  was "char" not null,
  was_index oid,
  was_index_name name,
  became "char" not null,
  became_index oid
);

-- Published tables whose identity is an index that is not the primary key. To drop it is allowed,
-- and the event does not say whose it was.
create table if not exists bridge.index_identity (
  relid oid primary key
);

-- Tables that were published when the log had begun, so that rows they had by then are not in it.
create table if not exists bridge.added_table (
  relid oid primary key,
  name text not null,
  added_at timestamptz not null,
  lsn pg_lsn not null
);

-- Tables that should be published and could not be at once: someone else was at the publication.
create table if not exists bridge.pending_table (
  relid oid primary key,
  since timestamptz not null default pg_catalog.now()
);

-- What of the schema replicas can not have, and what is left out because it needs that. The bridge
-- keeps it, so that status need not look for it.
create table if not exists bridge.not_replicated (
  object text primary key
);

-- Patterns are schema.table with * and ?; "*" is every table, a name without a dot is in public.
-- SQL bodies are bound to their operators here and now, whatever the caller's search_path.
create or replace function bridge.like_pattern(pattern text) returns text
language sql immutable
return pg_catalog.replace(pg_catalog.replace(
  pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(pattern, '!', '!!'), '%', '!%'), '_', '!_'),
  '*', '%'), '?', '_');

create or replace function bridge.pattern_matches(pattern text, schema_name text, table_name text) returns boolean
language sql immutable
return case
  when pattern = '*' then true
  when pg_catalog.strpos(pattern, '.') = 0 then
    schema_name = 'public' and table_name like bridge.like_pattern(pattern) escape '!'
  else
    schema_name like bridge.like_pattern(pg_catalog.split_part(pattern, '.', 1)) escape '!'
    and table_name like bridge.like_pattern(pg_catalog.substr(pattern, pg_catalog.strpos(pattern, '.') + 1)) escape '!'
  end;

-- Not in SQL, which would be planned anew by each command.
create or replace function bridge.matches(schema_name text, table_name text, include text[], exclude text[]) returns boolean
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  return schema_name not in ('bridge', 'information_schema')
    and left(schema_name, 3) <> 'pg_'
    and not exists (select from unnest(exclude) p where bridge.pattern_matches(p, schema_name, table_name))
    and (cardinality(include) = 0
      or exists (select from unnest(include) p where bridge.pattern_matches(p, schema_name, table_name)));
end
$$;

create or replace function bridge.matches(schema_name text, table_name text) returns boolean
language sql stable
return (select bridge.matches(schema_name, table_name, s.include, s.exclude) from bridge.setting s);

-- Indexes that can identify a row for a replica: unique at once, for all rows, and of columns that
-- are in the log, which generated ones are not.
create or replace view bridge.identifying_index as
select i.indrelid as relid, i.indexrelid as indexid, i.indisprimary as is_primary, i.indisreplident as is_identity,
  i.indnkeyatts as width
from pg_catalog.pg_index i
where i.indisunique and i.indimmediate and i.indisvalid and i.indislive
  and i.indpred is null and i.indexprs is null
  and not exists (
    select
    from pg_catalog.pg_attribute a
    where a.attrelid = i.indrelid
      and a.attnum = any (i.indkey[0:i.indnkeyatts - 1])
      and (a.attgenerated <> '' or not a.attnotnull));

-- Every table that could be published: ordinary, with rows of its own (partitions, not their
-- roots), permanent. has_identity says that update and delete go on working once it is published.
-- PostgreSQL 18 refuses them under REPLICA IDENTITY FULL where a column is generated.
--
-- The event triggers ask for one table at a time. Where "exists" would be the word, it says
-- "count(*) > 0": an exists may become a hash of the whole catalog, a count looks into the index.
create or replace view bridge.table_state as
select t.*,
  case
    when t.identity = 'f' then t.full_works
    else (
      select pg_catalog.count(*)
      from bridge.identifying_index i
      where i.relid = t.relid and (t.identity = 'd' and i.is_primary or t.identity = 'i' and i.is_identity)) > 0
  end as has_identity
from (
  select c.oid as relid, n.nspname as schema_name, c.relname as table_name, c.relreplident as identity,
    bridge.matches(n.nspname, c.relname, s.include, s.exclude) as matches,
    (
      select pg_catalog.count(*)
      from pg_catalog.pg_publication_rel r
      join pg_catalog.pg_publication p on p.oid = r.prpubid
      where r.prrelid = c.oid and p.pubname = s.publication) > 0 as published,
    pg_catalog.current_setting('server_version_num')::integer < 180000
      or (
        select pg_catalog.count(*)
        from pg_catalog.pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated <> '') = 0 as full_works,
    (select pg_catalog.count(*) from bridge.replica_identity r where r.relid = c.oid) > 0 as identity_changed,
    (select pg_catalog.count(*) from bridge.index_identity r where r.relid = c.oid) > 0 as identity_noted
  from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  cross join bridge.setting s
  where c.relkind = 'r' and c.relpersistence = 'p' and c.oid >= 16384
    and n.nspname not in ('bridge', 'information_schema') and pg_catalog.left(n.nspname, 3) <> 'pg_'
) t;

-- The tables for which bridge.publish has something to do, or to look at.
create or replace view bridge.table_to_do as
select t.relid, t.schema_name, t.table_name
from bridge.table_state t
where t.matches <> t.published
  or t.identity_changed
  or t.published and (not t.has_identity or (t.identity = 'i') <> t.identity_noted);

-- Gives a table the replica identity back that it had before we changed it, unless someone else
-- has changed it since. An index that is gone can not be given back: then it is the default.
create or replace function bridge.restore_identity(table_id oid) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_old bridge.replica_identity%rowtype;
  v_index name;
begin
  delete from bridge.replica_identity r where r.relid = table_id returning * into v_old;
  if not found or not exists (
    select
    from pg_class c
    where c.oid = table_id and c.relkind = 'r' and c.relreplident = v_old.became
      and (v_old.became <> 'i' or exists (
        select from pg_index i where i.indexrelid = v_old.became_index and i.indisreplident)))
  then
    return false;
  end if;
  if v_old.was = 'i' then
    select x.relname into v_index
    from bridge.identifying_index i
    join pg_class x on x.oid = i.indexid
    where i.relid = table_id and (i.indexid = v_old.was_index or x.relname = v_old.was_index_name)
    order by i.indexid = v_old.was_index desc
    limit 1;
  end if;
  execute format('alter table only %s replica identity %s', table_id::regclass,
    case v_old.was
      when 'n' then 'nothing'
      when 'f' then 'full'
      when 'i' then case when v_index is null then 'default' else format('using index %I', v_index) end
      else 'default'
    end);
  return true;
end
$$;

-- Takes a table out of the publication; says whether it was in it.
create or replace function bridge.withdraw(table_id oid) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_publication name;
begin
  select p.pubname into v_publication
  from bridge.setting s
  join pg_publication p on p.pubname = s.publication
  join pg_publication_rel r on r.prpubid = p.oid
  where r.prrelid = table_id;
  if not found then
    return false;
  end if;
  execute format('alter publication %I drop table only %s', v_publication, table_id::regclass);
  return true;
end
$$;

-- Brings one table into the state that it should have: published if it matches the patterns, with
-- an identity before it is, so that update and delete never fail. Returns what was done: identity,
-- restored, added, removed, or unfit when the table has no identity that the server accepts.
-- empty_before says that the table came into being in this command. Locks are waited for as
-- lock_timeout says, always the table's before the publication's.
-- While it works, our own event triggers are told off by bridge.guard.
create or replace function bridge.publish(table_id oid, empty_before boolean default false) returns text[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_guard text := current_setting('bridge.guard', true);
  v_done text[];
begin
  perform set_config('bridge.guard', 'on', true);
  v_done := bridge.publish_guarded(table_id, empty_before);
  perform set_config('bridge.guard', coalesce(v_guard, ''), true);
  if v_done && '{identity,restored}' then
    perform bridge.capture('{1259}', array[table_id]);
  end if;
  return v_done;
end
$$;

create or replace function bridge.publish_guarded(table_id oid, empty_before boolean) returns text[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_table bridge.table_state%rowtype;
  v_old bridge.replica_identity%rowtype;
  v_index oid;
  v_done text[] := '{}';
begin
  select * into v_table from bridge.table_state t where t.relid = table_id;
  if not found then
    if not exists (select from bridge.setting) then
      raise exception 'bridge.setting is empty' using hint = 'Run bridge init.';
    end if;
    return v_done;
  end if;

  if not v_table.matches then
    if bridge.withdraw(table_id) then
      v_done := v_done || 'removed'::text;
    end if;
    delete from bridge.index_identity r where r.relid = table_id;
    if v_table.identity_changed and bridge.restore_identity(table_id) then
      v_done := v_done || 'restored'::text;
    end if;
    return v_done;
  end if;

  -- An identity that we gave goes when the table's own serves again.
  if v_table.identity_changed then
    select * into v_old from bridge.replica_identity r where r.relid = table_id;
    if v_table.identity <> v_old.became then
      delete from bridge.replica_identity r where r.relid = table_id;
    elsif (case v_old.was
        when 'd' then exists (select from bridge.identifying_index i where i.relid = table_id and i.is_primary)
        when 'i' then exists (
          select
          from bridge.identifying_index i
          join pg_class x on x.oid = i.indexid
          where i.relid = table_id and (i.indexid = v_old.was_index or x.relname = v_old.was_index_name))
        when 'f' then v_table.full_works
        else false
      end)
    then
      begin
        execute format('lock table only %s in access exclusive mode nowait', table_id::regclass);
        if bridge.restore_identity(table_id) then
          v_done := v_done || 'restored'::text;
        end if;
      exception when lock_not_available then
        null; -- there is no hurry
      end;
    end if;
    select * into v_table from bridge.table_state t where t.relid = table_id;
  end if;

  if not v_table.has_identity then
    if not v_table.full_works then
      select i.indexid into v_index
      from bridge.identifying_index i
      where i.relid = table_id
      order by i.is_primary desc, i.width, i.indexid
      limit 1;
      if not found then
        perform bridge.withdraw(table_id);
        return v_done || 'unfit'::text;
      end if;
    end if;
    execute format('lock table only %s in access exclusive mode', table_id::regclass);
    insert into bridge.replica_identity as r (relid, was, was_index, was_index_name, became, became_index)
    select c.oid, c.relreplident, x.oid, x.relname, case when v_index is null then 'f' else 'i' end, v_index
    from pg_class c
    left join pg_index i on i.indrelid = c.oid and i.indisreplident
    left join pg_class x on x.oid = i.indexrelid
    where c.oid = table_id
    on conflict (relid) do update set became = excluded.became, became_index = excluded.became_index;
    execute format('alter table only %s replica identity %s', table_id::regclass,
      coalesce((select format('using index %I', x.relname) from pg_class x where x.oid = v_index), 'full'));
    v_done := v_done || 'identity'::text;
  end if;

  if (select c.relreplident = 'i' from pg_class c where c.oid = table_id) then
    insert into bridge.index_identity (relid) values (table_id) on conflict do nothing;
  elsif v_table.identity_noted then
    delete from bridge.index_identity r where r.relid = table_id;
  end if;

  if not v_table.published then
    execute format('lock table only %s in share update exclusive mode', table_id::regclass);
    execute format('alter publication %I add table only %s', (select s.publication from bridge.setting s), table_id::regclass);
    delete from bridge.pending_table r where r.relid = table_id;
    if exists (select from bridge.epoch) and not (empty_before and pg_relation_size(table_id) = 0) then
      insert into bridge.added_table (relid, name, added_at, lsn)
      values (table_id, table_id::regclass::text, clock_timestamp(), pg_current_wal_insert_lsn())
      on conflict (relid) do update set name = excluded.name, added_at = excluded.added_at, lsn = excluded.lsn;
      perform bridge.emit_rows(table_id, 'published');
    end if;
    v_done := v_done || 'added'::text;
  end if;
  return v_done;
end
$$;

-- bridge.publish for the event triggers: what goes wrong is said in a warning, and a table that is
-- published without an identity is taken out, because its user's work comes first. A transaction
-- that has waited for a lock in vain does not wait for the next.
create or replace function bridge.attend(table_id oid, empty_before boolean) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $$
declare
  v_error text;
  v_state text;
begin
  if current_setting('bridge.contended', true) = 'on' then
    perform set_config('lock_timeout', '1ms', true);
  end if;
  if 'unfit' = any (bridge.publish(table_id, empty_before)) then
    raise warning 'bridge: % is not replicated: it needs a primary key of columns that are not generated', table_id::regclass;
  end if;
exception when others then
  get stacked diagnostics v_error = message_text, v_state = returned_sqlstate;
  if v_state = '55P03' then
    perform set_config('bridge.contended', 'on', true);
  end if;
  begin
    if exists (select from bridge.table_state t where t.relid = table_id and t.published and not t.has_identity) then
      perform bridge.withdraw(table_id);
      raise warning 'bridge: % is not replicated any more: %', table_id::regclass, v_error;
    else
      insert into bridge.pending_table (relid) values (table_id) on conflict do nothing;
      if v_state = '55P03' then
        raise log 'bridge: % is published later: %', table_id::regclass, v_error;
      else
        raise warning 'bridge: % is not replicated yet: %', table_id::regclass, v_error;
      end if;
    end if;
  exception when others then
    raise warning 'bridge: % is not replicated as it should be: %; %', table_id::regclass, v_error, sqlerrm;
  end;
  perform bridge.last_resort(table_id);
end
$$;

-- For when something of ours was dropped by hand: asks nothing but the catalog.
create or replace function bridge.last_resort(table_id oid) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from pg_publication_rel r where r.prrelid = table_id)
    and exists (
      select
      from pg_class c
      where c.oid = table_id and c.relkind = 'r' and c.relreplident <> 'f'
        and not exists (
          select
          from pg_index i
          where i.indrelid = c.oid and i.indisvalid and i.indimmediate
            and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident)))
  then
    execute format('alter table only %s replica identity full', table_id::regclass);
  end if;
exception when others then
  raise warning 'bridge: update and delete may fail on %: %', table_id::regclass, sqlerrm;
end
$$;

-- After every command that can change the schema: it is captured, and its tables are published. It
-- looks at nothing but the command's own objects, and whatever goes wrong here, the command does not fail. The wait for locks is shorter than
-- deadlock_timeout, so that no other session is ever chosen as the victim of a deadlock with us.
create or replace function bridge.on_ddl() returns event_trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  v_tables oid[];
  v_created oid[];
  v_schemas oid[];
  v_table oid;
begin
  if current_setting('bridge.guard', true) = 'on' then
    return;
  end if;
  -- What the schema is comes before the rows.
  perform bridge.capture_command(tg_tag);
  if tg_tag not in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE SCHEMA', 'ALTER SCHEMA') then
    return;
  end if;
  select array_agg(distinct d.objid) filter (where d.classid = 'pg_class'::regclass),
    coalesce(array_agg(d.objid) filter (where d.classid = 'pg_class'::regclass and d.command_tag = 'CREATE TABLE'), '{}'),
    array_agg(d.objid) filter (where d.command_tag = 'ALTER SCHEMA')
  into v_tables, v_created, v_schemas
  from pg_event_trigger_ddl_commands() d
  where d.schema_name is distinct from 'pg_temp' and d.schema_name is distinct from 'bridge';
  if v_tables is not null then
    foreach v_table in array v_tables loop
      case (select c.relkind from pg_class c where c.oid = v_table)
        when 'r' then
          perform bridge.attend(v_table, v_table = any (v_created));
        when 'p' then
          perform bridge.attend(p.relid, false) from pg_partition_tree(v_table) p where p.isleaf;
        else
          null;
      end case;
    end loop;
  end if;
  if v_schemas is not null then
    perform bridge.attend(c.oid, false) from pg_class c where c.relnamespace = any (v_schemas) and c.relkind = 'r';
  end if;
exception when others then
  raise warning 'bridge: the replicated tables could not be checked after this command: %', sqlerrm;
end
$$;

-- After a command that drops something: the schema is captured, and tables that lost what identified
-- their rows are seen to.
create or replace function bridge.on_drop() returns event_trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  v_dropped oid[];
  v_tables oid[];
  v_index boolean;
  v_table oid;
begin
  if current_setting('bridge.guard', true) = 'on' then
    return;
  end if;
  perform bridge.capture_drops();
  select array_agg(d.objid) filter (where d.object_type = 'table'),
    array_agg(distinct d.table_id) filter (where d.table_id is not null),
    -- Indexes that go with their table or constraint are neither.
    bool_or(d.object_type = 'index' and (d.original or d.normal))
  into v_dropped, v_tables, v_index
  from (
    select o.*, case when o.object_type in ('table constraint', 'table column') then
      to_regclass(format('%I.%I', o.address_names[1], o.address_names[2]))::oid end as table_id
    from pg_event_trigger_dropped_objects() o
    where not o.is_temporary and o.object_type in ('table', 'table constraint', 'table column', 'index')
      and o.schema_name is distinct from 'bridge'
  ) d;
  if v_dropped is not null then
    delete from bridge.replica_identity r where r.relid = any (v_dropped);
    delete from bridge.index_identity r where r.relid = any (v_dropped);
    delete from bridge.pending_table r where r.relid = any (v_dropped);
    delete from bridge.added_table r where r.relid = any (v_dropped);
  end if;
  if v_tables is not null then
    foreach v_table in array v_tables loop
      perform bridge.attend(v_table, false);
    end loop;
  end if;
  if v_index then
    perform bridge.attend(r.relid, false)
    from bridge.index_identity r
    where (select count(*) from bridge.table_state t where t.relid = r.relid and t.published and not t.has_identity) > 0;
  end if;
exception when others then
  raise warning 'bridge: the replicated tables could not be checked after this command: %', sqlerrm;
end
$$;

-- The tables of ALTER TABLE … SET UNLOGGED leave the publication first: PostgreSQL refuses the
-- command on published ones. Statement texts are all there is before a command; statements
-- that run inside a function stand in the context. The wait for the publication is the caller's
-- own lock_timeout: to give up would make the command fail.
create or replace function bridge.before_alter(statements text, search_schemas name[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_match text[];
  v_parts text[];
  v_table oid;
begin
  for v_match in
    select regexp_matches(statements,
      'alter[[:space:]]+table[[:space:]]+(?:if[[:space:]]+exists[[:space:]]+)?(?:only[[:space:]]+)?'
      || '((?:"(?:[^"]|"")+"|[^"[:space:].;]+)(?:[[:space:]]*[.][[:space:]]*(?:"(?:[^"]|"")+"|[^"[:space:].;]+))?)'
      || '(?:[[:space:]][^;]*?)?[[:space:],]set[[:space:]]+unlogged', 'gi')
  loop
    v_parts := parse_ident(v_match[1]);
    select c.oid into v_table
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and c.relname = v_parts[cardinality(v_parts)]
      and case when cardinality(v_parts) > 1 then n.nspname = v_parts[1] else n.nspname = any (search_schemas) end
    order by array_position(search_schemas, n.nspname)
    limit 1;
    if found then
      perform bridge.withdraw(v_table);
    end if;
  end loop;
end
$$;

-- Before ALTER TABLE, ALTER TYPE, GRANT and REVOKE. Runs under the caller's search_path, which it has to know; that is why
-- every name, type and operator here is qualified.
create or replace function bridge.on_alter() returns event_trigger
language plpgsql
security definer
as $$
declare
  v_context pg_catalog.text;
  v_nested pg_catalog.bool;
begin
  if pg_catalog.current_setting('bridge.guard', true) operator(pg_catalog.=) 'on' then
    return;
  end if;
  if tg_tag operator(pg_catalog.=) any (array['GRANT', 'REVOKE']) then
    perform bridge.before_privileges();
    return;
  end if;
  get diagnostics v_context = pg_context;
  v_nested := pg_catalog.strpos(v_context, e'\n') operator(pg_catalog.>) 0; -- not the client's own statement
  v_context := pg_catalog.concat(pg_catalog.current_query(), ';', v_context);
  if pg_catalog.strpos(pg_catalog.lower(v_context), 'unlogged') operator(pg_catalog.>) 0 then
    perform bridge.before_alter(v_context, pg_catalog.current_schemas(true));
  end if;
  if pg_catalog.regexp_match(v_context, 'type|expression|identity', 'i') is not null then
    perform bridge.remember_parts(case when not v_nested then pg_catalog.current_query() end);
  end if;
exception when others then
  raise warning 'bridge: this command could not be looked at before it ran: %', sqlerrm;
end
$$;

-- Publishes what had to wait. Tables that can not be published now go on waiting.
create or replace function bridge.publish_pending() returns setof oid
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $$
declare
  v_table oid;
begin
  delete from bridge.pending_table p where not exists (select from bridge.table_state t where t.relid = p.relid and t.matches);
  for v_table in select p.relid from bridge.pending_table p order by p.since, p.relid loop
    begin
      if 'added' = any (bridge.publish(v_table)) then
        return next v_table;
      end if;
      delete from bridge.pending_table p where p.relid = v_table;
    exception when others then
      raise log 'bridge: % is still not published: %', v_table, sqlerrm;
    end;
  end loop;
end
$$;

-- Makes the event triggers anew. Needs a superuser. They fire for every session, also for one that
-- runs with session_replication_role = replica.
create or replace function bridge.install_triggers() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_name name;
begin
  foreach v_name in array array['bridge_ddl', 'bridge_drop', 'bridge_alter', 'bridge_rewrite'] loop
    if exists (
      select
      from pg_event_trigger e
      join pg_proc p on p.oid = e.evtfoid
      join pg_namespace n on n.oid = p.pronamespace
      where e.evtname = v_name and n.nspname <> 'bridge')
    then
      raise exception 'event trigger % is there already and is not ours', v_name using errcode = 'duplicate_object';
    end if;
    execute format('drop event trigger if exists %I', v_name);
  end loop;
  create event trigger bridge_ddl on ddl_command_end
    execute function bridge.on_ddl();
  create event trigger bridge_drop on sql_drop
    execute function bridge.on_drop();
  create event trigger bridge_alter on ddl_command_start
    when tag in ('ALTER TABLE', 'ALTER TYPE', 'GRANT', 'REVOKE')
    execute function bridge.on_alter();
  create event trigger bridge_rewrite on table_rewrite
    execute function bridge.on_rewrite();
  alter event trigger bridge_ddl enable always;
  alter event trigger bridge_drop enable always;
  alter event trigger bridge_alter enable always;
  alter event trigger bridge_rewrite enable always;
end
$$;

revoke all on all functions in schema bridge from public;
