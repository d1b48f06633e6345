-- What the master says of changes of its schema: entries of the catalogs, as transactional messages
-- in the write-ahead log, where they stand in order with the rows. bridge.catalog, which writes the
-- entries, is installed before this. Safe to run again.
--
-- bridge.schema  {"reset":true,"seen":"0/15D7A40","more":true,"set":[entry, …],"drop":[{"class":1259,"oid":16400}, …]}
--                forget what was (reset), these are the entries now, these are gone; what belongs
--                together comes in several messages, all but the last with "more". With "seen" it is
--                said of objects that this transaction has not changed itself: it saw them so
--                behind that place, while others may be changing them
-- bridge.rows    {"oid":16400,"why":"rewritten"}
--                the rows of this table are others than the log's changes make of them

-- What could not be captured in the transaction that changed it. It has no key, so that no session
-- waits here for another. With a pause it was captured since, but others were at it at that time.
create table if not exists bridge.uncaptured (
  class oid not null,
  oid oid not null,
  since timestamptz not null default pg_catalog.now(),
  pause interval not null default '0' -- before it is tried again
);

-- The given addresses, and those whose entries can change with them: what depends on them, directly
-- or not, unless dependents are not asked for. Parts are given as the object that holds them. Some
-- of these have no entry. Own are the given ones themselves, but not what is given also.
--
-- A child or partition is among them only if this transaction, or one that began later, wrote its
-- row or its columns': its entry names its parent by OID.
--
-- It goes step by step, because a recursive query is planned for so many rows that to make and clear its
-- hash tables takes most of the time. It says "count(*) > 0" for "exists" where that may become a
-- hash of the whole catalog.
create or replace function bridge.touched(
  classes oid[], oids oid[], dependents boolean default true, also_classes oid[] default '{}', also_oids oid[] default '{}'
) returns table (class oid, oid oid, own boolean)
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
as $$
#variable_conflict use_column
declare
  v_age integer := age(pg_current_xact_id()::xid);
  v_classes oid[] := classes || also_classes; -- found so far
  v_oids oid[] := oids || also_oids;
  v_own boolean[] := array_fill(true, array[cardinality(classes)]) || array_fill(false, array[cardinality(also_classes)]);
  v_down boolean[] := array_fill(dependents, array[cardinality(v_classes)]); -- or are only what holds a part
  v_last_classes oid[] := v_classes; -- in the last step
  v_last_oids oid[] := v_oids;
  v_last_own boolean[] := v_own;
  v_last_down boolean[] := v_down;
begin
  loop
    select array_agg(step.class), array_agg(step.oid), array_agg(step.own), array_agg(step.down)
    into v_last_classes, v_last_oids, v_last_own, v_last_down
    from (
      select next.class, next.oid, next.own, next.down
      from unnest(v_last_classes, v_last_oids, v_last_own, v_last_down) last (class, oid, own, down)
      cross join lateral (
        select d.classid as class, d.objid as oid, false as own, true as down
        from pg_depend d
        where last.down and d.refclassid = last.class and d.refobjid = last.oid
          and (d.classid <> 1259 or d.refclassid <> 1259 or d.deptype = 'i'
            or (select count(*) from pg_inherits i where i.inhrelid = d.objid and i.inhparent = d.refobjid) = 0
            or (select count(*) from pg_class c where c.oid = d.objid and age(c.xmin) <= v_age) > 0
            or (select count(*) from pg_attribute a where a.attrelid = d.objid and age(a.xmin) <= v_age) > 0)
        union all
        -- An index and its constraint are renamed together; a composite type is altered as a relation.
        select d.refclassid, d.refobjid, false, true
        from pg_depend d
        where last.down and last.class = 1259 and d.classid = 1259 and d.objid = last.oid
          and (d.refclassid = 2606 or d.refclassid = 1247 and d.deptype = 'i')
        union all
        -- Commutators and negators name each other, without depending on it.
        select 2617, p.oid, false, true
        from pg_operator o
        cross join lateral (values (o.oprcom), (o.oprnegate)) p (oid)
        where last.down and last.class = 2617 and o.oid = last.oid and p.oid >= 16384
        union all
        select d.refclassid, d.refobjid, last.own, false
        from pg_depend d
        where d.classid = last.class and d.objid = last.oid
          and case last.class
            when 2604 then d.refclassid = 1259 and d.deptype in ('a', 'i') -- a default to its table
            when 2602 then d.refclassid in (2616, 2753)
            when 2603 then d.refclassid in (2616, 2753)
            when 2606 then d.deptype = 'i' or d.refclassid = 1247 and d.deptype = 'a' -- a domain's
            when 1259 then d.refclassid = 1247 and d.deptype = 'i' -- a composite type's
            when 2620 then d.refclassid = 1259 and d.deptype = 'S' -- a partition's copy of a trigger
            when 1247 then d.deptype = 'i'
            when 1255 then d.deptype = 'i'
            when 2605 then d.deptype = 'i'
            when 2618 then d.deptype = 'i'
            else false
          end
        offset 0) next
      except
      select * from unnest(v_classes, v_oids, v_own, v_down)
    ) step;
    exit when v_last_classes is null;
    v_classes := v_classes || v_last_classes;
    v_oids := v_oids || v_last_oids;
    v_own := v_own || v_last_own;
    v_down := v_down || v_last_down;
  end loop;
  return query
  select found.class, found.oid, bool_or(found.own)
  from unnest(v_classes, v_oids, v_own) found (class, oid, own)
  where case found.class
      when 1259 then (
        select count(*)
        from pg_class c
        where c.oid = found.oid and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I')
          and c.relnamespace <> 'pg_toast'::regnamespace) > 0
      when 2606 then (select count(*) from pg_constraint c where c.oid = found.oid and c.conrelid <> 0) > 0
      when 2620 then (select count(*) from pg_trigger t where t.oid = found.oid and not t.tgisinternal and t.tgparentid = 0) > 0
      else found.class = any (bridge.captured_classes())
    end
    and (
      select count(*)
      from pg_depend d
      where d.classid = found.class and d.objid = found.oid and (found.class <> 2612 or found.oid >= 16384) -- languages that are built in
        and (d.deptype = 'e' or d.deptype = 'i' and found.class in (1247, 1255, 2605, 2618))) = 0
  group by found.class, found.oid
  order by found.class, found.oid;
end
$$;

-- The catalogs whose objects have entries.
create or replace function bridge.captured_classes() returns oid[]
language sql immutable
return '{826,1247,1255,1259,1417,2328,2601,2605,2606,2607,2612,2615,2616,2617,2618,2620,2753,3079,3256,3381,3456,3576,3600,3601,3602,3764}'::pg_catalog.oid[];

-- The messages that tell the entries of these addresses, and that those of the other list are gone; an
-- address of the first that has no entry is gone, too; with reset, that goes without saying. What
-- is in the first list and not in mine was only seen, behind the given place.
create or replace function bridge.schema_messages(
  set_classes oid[], set_oids oid[], my_classes oid[], my_oids oid[], seen pg_lsn,
  drop_classes oid[] default '{}', drop_oids oid[] default '{}', reset boolean default false
) returns text[]
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  c_limit constant integer := 1000000; -- bytes of a message, unless one entry is bigger
  v_size integer := 0;
  v_mine boolean;
  v_before boolean;
  v_drop boolean;
  v_text text;
  v_sets text[] := '{}';
  v_drops text[] := '{}';
  v_messages text[] := '{}';
begin
  for v_mine, v_drop, v_text in
    with entry as materialized (
      select e.class, e.oid, e.entry from bridge.catalog(set_classes, set_oids) e
    ), mine as materialized (
      select * from rows from (pg_catalog.unnest(my_classes), pg_catalog.unnest(my_oids)) as given (class, oid)
      union
      select * from rows from (pg_catalog.unnest(drop_classes), pg_catalog.unnest(drop_oids)) as given (class, oid)
    ), gone as (
      (
        select * from rows from (pg_catalog.unnest(set_classes), pg_catalog.unnest(set_oids)) as given (class, oid) where not reset
        union
        select * from rows from (pg_catalog.unnest(drop_classes), pg_catalog.unnest(drop_oids)) as given (class, oid)
      )
      except
      select e.class, e.oid from entry e
    )
    select m.class is not null, said.drop, said.text
    from (
      select false as drop, e.class, e.oid, e.entry::text as text
      from entry e
      union all
      select true, g.class, g.oid, concat('{"class":', g.class, ',"oid":', g.oid, '}')
      from gone g
    ) said
    left join mine m on m.class = said.class and m.oid = said.oid
    order by 1, said.drop, said.class, said.oid
  loop
    if v_size > 0 and (v_mine <> v_before or v_size + octet_length(v_text) > c_limit) then
      v_messages := v_messages || bridge.schema_message(v_sets, v_drops, reset and v_messages = '{}', case when not v_before then seen end, true);
      v_sets := '{}';
      v_drops := '{}';
      v_size := 0;
    end if;
    v_before := v_mine;
    if v_drop then
      v_drops := v_drops || v_text;
    else
      v_sets := v_sets || v_text;
    end if;
    v_size := v_size + octet_length(v_text) + 1;
  end loop;
  if v_size > 0 or reset and v_messages = '{}' then
    v_messages := v_messages || bridge.schema_message(v_sets, v_drops, reset and v_messages = '{}', case when not v_before then seen end, false);
  end if;
  return v_messages;
end
$$;

create or replace function bridge.schema_message(sets text[], drops text[], reset boolean, seen pg_lsn, more boolean) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  return '{' || concat_ws(',',
    case when reset then '"reset":true' end,
    '"seen":"' || seen || '"',
    case when more then '"more":true' end,
    case when sets <> '{}' then '"set":[' || array_to_string(sets, ',') || ']' end,
    case when drops <> '{}' then '"drop":[' || array_to_string(drops, ',') || ']' end) || '}';
end
$$;

-- Says that this transaction captures, and whether another one does that has not ended. Of two that
-- do so at a time, the one that looks later is told. Nobody ever waits for this lock: it is only shared.
create or replace function bridge.others_capture() returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_try_advisory_xact_lock_shared(1885823602, 1); -- "pgbr"
  return exists (
    select
    from pg_locks l
    where l.locktype = 'advisory' and l.classid = 1885823602 and l.objid = 1 and l.objsubid = 2
      and l.pid is distinct from pg_backend_pid()
      and l.database = (select d.oid from pg_database d where d.datname = current_database()));
end
$$;

-- Messages are not converted as rows are: they are UTF-8 whatever the database's encoding is.
create or replace function bridge.emit_messages(prefix text, messages text[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_message text;
begin
  foreach v_message in array messages loop
    perform pg_logical_emit_message(true, prefix, convert_to(v_message, 'UTF8'));
    -- The decoder puts a message where its record ends, which is where the next record begins, and when
    -- that is of another subtransaction it may take the two in any order: so the next one says nothing.
    perform pg_logical_emit_message(true, 'bridge.pad', '');
  end loop;
end
$$;

create or replace function bridge.emit_rows(table_id oid, why text) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
  select bridge.emit_messages('bridge.rows', array[concat('{"oid":', table_id, ',"why":"', why, '"}')])
$$;

-- Emits all there is, the server's entry too.
create or replace function bridge.capture_all() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_classes oid[];
  v_oids oid[];
  v_seen pg_lsn;
begin
  v_seen := bridge.begin_capture();
  if bridge.others_capture() then
    insert into bridge.uncaptured (class, oid) values (0, 0);
  end if;
  select array_agg(o.class), array_agg(o.oid) into v_classes, v_oids
  from (
    select 0::oid, 0::oid
    union all select 826, d.oid from pg_default_acl d
    union all select 2615, n.oid from pg_namespace n
    union all select 3079, e.oid from pg_extension e
    union all select 1259, c.oid from pg_class c where c.oid >= 16384 and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I')
    union all select 1247, t.oid from pg_type t where t.oid >= 16384 and t.typtype in ('b', 'p', 'c', 'd', 'e', 'r')
    union all select 1255, p.oid from pg_proc p where p.oid >= 16384
    union all select 1417, s.oid from pg_foreign_server s
    union all select 2328, w.oid from pg_foreign_data_wrapper w
    union all select 2601, a.oid from pg_am a where a.oid >= 16384
    union all select 2605, c.oid from pg_cast c where c.oid >= 16384
    union all select 2606, c.oid from pg_constraint c where c.oid >= 16384 and c.conrelid <> 0
    union all select 2607, c.oid from pg_conversion c where c.oid >= 16384
    union all select 2612, l.oid from pg_language l where l.oid >= 16384 or l.lanacl is not null
    union all select 2616, c.oid from pg_opclass c where c.oid >= 16384
    union all select 2617, o.oid from pg_operator o where o.oid >= 16384
    union all select 2618, w.oid from pg_rewrite w where w.oid >= 16384 and w.rulename <> '_RETURN'
    union all select 2620, t.oid from pg_trigger t where not t.tgisinternal
    union all select 2753, f.oid from pg_opfamily f where f.oid >= 16384
    union all select 3256, p.oid from pg_policy p
    union all select 3381, s.oid from pg_statistic_ext s
    union all select 3456, c.oid from pg_collation c where c.oid >= 16384
    union all select 3576, t.oid from pg_transform t
    union all select 3600, d.oid from pg_ts_dict d where d.oid >= 16384
    union all select 3601, p.oid from pg_ts_parser p where p.oid >= 16384
    union all select 3602, c.oid from pg_ts_config c where c.oid >= 16384
    union all select 3764, t.oid from pg_ts_template t where t.oid >= 16384
  ) o (class, oid);
  perform bridge.emit_messages('bridge.schema', bridge.schema_messages(v_classes, v_oids, '{}', '{}', v_seen, reset => true));
end
$$;

-- Where in the write-ahead log the transaction is before it looks at the catalogs. It has its own place
-- there from here on, so that nobody forgets what was changed before.
create or replace function bridge.begin_capture() returns pg_lsn
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  return pg_logical_emit_message(true, 'bridge.pad', '');
end
$$;

-- Captures objects and what changes with them, and forgets those that were dropped; also what the
-- command may have changed as well. What goes wrong is said in a warning, and is left to bridge.capture_pending: the user's command does not fail.
--
-- To render a view locks what it reads. So the entries are made in a subtransaction that is rolled
-- back, and nobody has to wait until the user's transaction ends. Where a lock is not to be had
-- at once, views and rules are captured later.
--
-- What others are changing at the same time can come out as it was before: the objects of this command
-- are locked, but not what depends on them. So they are captured once more where someone else is at
-- it, as are those of a transaction that does not see what others commit.
create or replace function bridge.capture(
  classes oid[], oids oid[], drop_classes oid[] default '{}', drop_oids oid[] default '{}', dependents boolean default true,
  also_classes oid[] default '{}', also_oids oid[] default '{}'
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $$
#variable_conflict use_variable
declare
  v_seen pg_lsn;
  v_classes oid[] := '{}';
  v_oids oid[] := '{}';
  v_my_classes oid[] := '{}';
  v_my_oids oid[] := '{}';
  v_messages text[];
  v_again boolean := current_setting('transaction_isolation') in ('repeatable read', 'serializable');
begin
  if cardinality(classes) = 0 and cardinality(drop_classes) = 0 then
    return;
  end if;
  if current_setting('bridge.contended', true) = 'on' then
    perform set_config('lock_timeout', '1ms', true);
  end if;
  v_seen := bridge.begin_capture();
  v_again := bridge.others_capture() or v_again;
  if cardinality(classes) > 0 then
    select coalesce(array_agg(t.class), '{}'), coalesce(array_agg(t.oid), '{}'),
      coalesce(array_agg(t.class) filter (where t.own), '{}'), coalesce(array_agg(t.oid) filter (where t.own), '{}')
    into v_classes, v_oids, v_my_classes, v_my_oids
    from bridge.touched(classes, oids, dependents, also_classes, also_oids) t;
  end if;
  begin
    v_messages := bridge.schema_messages(v_classes, v_oids, v_my_classes, v_my_oids, v_seen, drop_classes, drop_oids);
    raise exception using errcode = 'BRIDG';
  exception
    when sqlstate 'BRIDG' then
      null;
    when lock_not_available then
      perform set_config('bridge.contended', 'on', true);
      perform set_config('lock_timeout', '1ms', true);
      raise log 'bridge: views are captured later: %', sqlerrm;
      v_again := true;
  end;
  if v_messages is null then
    begin
      v_messages := bridge.schema_messages(
        array(
          select t.class
          from rows from (unnest(v_classes), unnest(v_oids)) with ordinality t (class, oid, n)
          where not bridge.is_rendered(t.class, t.oid)
          order by t.n),
        array(
          select t.oid
          from rows from (unnest(v_classes), unnest(v_oids)) with ordinality t (class, oid, n)
          where not bridge.is_rendered(t.class, t.oid)
          order by t.n),
        v_my_classes, v_my_oids, v_seen, drop_classes, drop_oids);
      raise exception using errcode = 'BRIDG';
    exception when sqlstate 'BRIDG' then
      null;
    end;
  end if;
  perform bridge.emit_messages('bridge.schema', v_messages);
  if v_again then
    insert into bridge.uncaptured (class, oid)
    select * from rows from (unnest(classes || drop_classes || v_classes), unnest(oids || drop_oids || v_oids)) as o (class, oid);
  end if;
exception when others then
  raise warning 'bridge: the change of the schema is captured later: %', sqlerrm;
  insert into bridge.uncaptured (class, oid)
  select * from rows from (unnest(classes || drop_classes), unnest(oids || drop_oids)) as o (class, oid);
end
$$;

-- Whether making the entry locks other relations: that of views and rules.
create or replace function bridge.is_rendered(class oid, oid oid) returns boolean
language sql stable
return is_rendered.class = 2618
  or is_rendered.class = 1259
    and (select pg_catalog.count(*) from pg_catalog.pg_class c where c.oid = is_rendered.oid and c.relkind in ('v', 'm')) > 0;

-- Captures what had to wait, and returns how many addresses that were; 0/0 stands for everything. What can not
-- be captured now is tried again the next time; what others are at is captured once more when they have ended, or
-- after a pause, short at first and then a minute.
create or replace function bridge.capture_pending() returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
set lock_timeout = '100ms'
as $$
#variable_conflict use_variable
declare
  v_class oid;
  v_oid oid;
  v_pause interval;
  v_classes oid[];
  v_oids oid[];
  v_seen pg_lsn;
  v_again boolean := bridge.others_capture();
  v_done integer := 0;
begin
  for v_class, v_oid, v_pause in
    select u.class, u.oid, min(u.pause)
    from bridge.uncaptured u
    group by u.class, u.oid
    having not v_again or min(u.since + u.pause) <= clock_timestamp()
    order by min(u.since), u.class, u.oid
  loop
    begin
      v_seen := bridge.begin_capture();
      v_again := bridge.others_capture();
      if v_class = 0 then
        perform bridge.capture_all();
      else
        select array_agg(t.class), array_agg(t.oid) into v_classes, v_oids
        from (
          select v_class as class, v_oid as oid
          union
          select t.class, t.oid from bridge.touched(array[v_class], array[v_oid]) t
        ) t;
        perform bridge.emit_messages('bridge.schema', bridge.schema_messages(v_classes, v_oids, '{}', '{}', v_seen));
      end if;
      delete from bridge.uncaptured u where u.class = v_class and u.oid = v_oid;
      if v_again then
        insert into bridge.uncaptured (class, oid, since, pause)
        values (v_class, v_oid, clock_timestamp(), least(greatest(2 * v_pause, '500ms'), '1min'));
      end if;
      v_done := v_done + 1;
    exception when others then
      raise debug 'bridge: %/% is still not captured: %', v_class, v_oid, sqlerrm;
    end;
  end loop;
  return v_done;
end
$$;

drop function if exists bridge.remember_parts(); -- of an earlier version

-- What an ALTER makes anew, or drops without an event: indexes, constraints and statistics of a
-- column whose type changes, the sequence of a column that was an identity. Called before it.
--
-- If the statement is one ALTER TABLE and no more, these are parts of a table of that name, in whatever
-- schema, and of what inherits from it; else, or if there is no such table, they can be any.
create or replace function bridge.remember_parts(statement text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  v_name text[] := parse_ident((regexp_match(statement,
    '^\s*alter\s+table\s+(?:if\s+exists\s+)?(?:only\s+)?'
    || '((?:"(?:[^"]|"")+"|[[:alpha:]_][[:alnum:]_$]*)(?:\.(?:"(?:[^"]|"")+"|[[:alpha:]_][[:alnum:]_$]*))?)'
    || '\s[^;]*;?\s*$', 'i'))[1]);
  v_tables oid[];
  v_relations oid[];
  v_constraints oid[];
  v_statistics oid[];
begin
  v_tables := array(
    with recursive family (oid) as (
      select c.oid
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      where c.relname = v_name[cardinality(v_name)]::name and (cardinality(v_name) = 1 or n.nspname = v_name[1]::name)
      union
      select i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid
    )
    select f.oid from family f);
  if v_tables = '{}' then
    v_relations := array(select c.oid from pg_class c where c.relkind in ('i', 'I', 'S') and c.oid >= 16384);
    v_constraints := array(select c.oid from pg_constraint c where c.conrelid >= 16384);
    v_statistics := array(select s.oid from pg_statistic_ext s);
  else
    v_relations := array(
      select i.indexrelid from pg_index i where i.indrelid = any (v_tables)
      union
      select d.objid from pg_depend d where d.refclassid = 1259 and d.refobjid = any (v_tables) and d.classid = 1259 and d.deptype in ('a', 'i'));
    -- Foreign keys of other tables depend on this one.
    v_constraints := array(
      select c.oid from pg_constraint c where c.conrelid = any (v_tables)
      union
      select d.objid from pg_depend d where d.refclassid = 1259 and d.refobjid = any (v_tables) and d.classid = 2606);
    v_statistics := array(select s.oid from pg_statistic_ext s where s.stxrelid = any (v_tables));
  end if;
  perform set_config('bridge.parts_1259', v_relations::text, true),
    set_config('bridge.parts_2606', v_constraints::text, true),
    set_config('bridge.parts_3381', v_statistics::text, true);
end
$$;

-- Which of these are not there any more; called at the end of the command.
create or replace function bridge.vanished_parts() returns table (class oid, oid oid)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  return query
  select 1259::oid, p.oid
  from unnest(nullif(current_setting('bridge.parts_1259', true), '')::oid[]) p (oid)
  where not exists (select from pg_class c where c.oid = p.oid)
  union all
  select 2606, p.oid
  from unnest(nullif(current_setting('bridge.parts_2606', true), '')::oid[]) p (oid)
  where not exists (select from pg_constraint c where c.oid = p.oid)
  union all
  select 3381, p.oid
  from unnest(nullif(current_setting('bridge.parts_3381', true), '')::oid[]) p (oid)
  where not exists (select from pg_statistic_ext s where s.oid = p.oid);
  perform set_config('bridge.parts_1259', '', true), set_config('bridge.parts_2606', '', true), set_config('bridge.parts_3381', '', true);
end
$$;

-- What has other privileges behind a command; called at its end, within the event trigger. That tells
-- what kind of objects it is, but not which: they are found by what this transaction wrote into the
-- catalogs, behind what was found there the last time. Their dependents are not concerned.
--
-- Those catalogs are large that relations and columns are in. So it is tried with the relations that the
-- statement's words name: if they had no row of this transaction before it, and have as many now as the
-- session's statistics have counted since, they are all. The statistics also know whether pg_attribute
-- was written at all.
create or replace function bridge.capture_privileges(tag text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
  v_age integer := age(pg_current_xact_id()::xid);
  v_youngest integer := v_age - 10000000; -- subtransactions are younger than their top; what is frozen can look so
  v_seen bigint := coalesce(nullif(current_setting('bridge.seen_command', true), '')::bigint, -1);
  v_updated bigint := pg_stat_get_xact_tuples_updated('pg_attribute'::regclass);
  v_columns boolean := current_setting('track_counts') = 'off'
    or v_updated <> coalesce(nullif(current_setting('bridge.seen_columns', true), '')::bigint, 0);
  v_kinds text[];
  v_before bigint := nullif(current_setting('bridge.rows_written', true), '')::bigint;
  v_named oid[]; -- the relations, if they are known
  v_classes oid[];
  v_oids oid[];
  v_command bigint;
begin
  case tag
    when 'ALTER DEFAULT PRIVILEGES' then
      v_kinds := '{DEFAULT}';
    when 'DROP OWNED' then
      v_kinds := '{TABLE,FUNCTION,TYPE,SCHEMA,DEFAULT,POLICY,LANGUAGE,FOREIGN DATA WRAPPER,FOREIGN SERVER}';
    else
      select array_agg(distinct d.object_type) into v_kinds from pg_event_trigger_ddl_commands() d;
  end case;
  if v_kinds <@ '{TABLE,SEQUENCE}' and v_before is not null then
    v_named := bridge.named_relations();
    if bridge.own_rows(v_named) <> bridge.rows_written() - v_before then
      v_named := null;
    end if;
  end if;
  perform set_config('bridge.rows_written', '', true);
  select array_agg(own.class), array_agg(own.oid), max(own.command) into v_classes, v_oids, v_command
  from (
    select 1259::oid as class, c.oid, c.xmin, c.cmin::text::bigint as command
    from pg_class c
    where c.oid = any (v_named) and c.relacl is not null and age(c.xmin) <= v_age and age(c.xmin) >= v_youngest
    union all
    select 1259, a.attrelid, a.xmin, a.cmin::text::bigint
    from pg_attribute a
    where a.attrelid = any (v_named) and v_columns and age(a.xmin) <= v_age and age(a.xmin) >= v_youngest
    union all
    select 1259, c.oid, c.xmin, c.cmin::text::bigint
    from pg_class c
    where v_named is null and v_kinds && '{TABLE,SEQUENCE}' and c.relacl is not null and age(c.xmin) <= v_age and age(c.xmin) >= v_youngest
    union all
    select 1259, a.attrelid, a.xmin, a.cmin::text::bigint
    from pg_attribute a
    where v_named is null and v_kinds && '{TABLE}' and v_columns and age(a.xmin) <= v_age and age(a.xmin) >= v_youngest
    union all
    select 1255, p.oid, p.xmin, p.cmin::text::bigint
    from pg_proc p
    where v_kinds && '{FUNCTION,PROCEDURE,ROUTINE}' and p.proacl is not null and age(p.xmin) <= v_age and age(p.xmin) >= v_youngest
    union all
    select 1247, t.oid, t.xmin, t.cmin::text::bigint
    from pg_type t
    where v_kinds && '{TYPE,DOMAIN}' and t.typacl is not null and age(t.xmin) <= v_age and age(t.xmin) >= v_youngest
    union all
    select 2615, n.oid, n.xmin, n.cmin::text::bigint
    from pg_namespace n
    where v_kinds && '{SCHEMA}' and n.nspacl is not null and age(n.xmin) <= v_age and age(n.xmin) >= v_youngest
    union all
    select 2612, l.oid, l.xmin, l.cmin::text::bigint
    from pg_language l
    where v_kinds && '{LANGUAGE}' and l.lanacl is not null and age(l.xmin) <= v_age and age(l.xmin) >= v_youngest
    union all
    select 2328, w.oid, w.xmin, w.cmin::text::bigint
    from pg_foreign_data_wrapper w
    where v_kinds && '{FOREIGN DATA WRAPPER}' and w.fdwacl is not null and age(w.xmin) <= v_age and age(w.xmin) >= v_youngest
    union all
    select 1417, s.oid, s.xmin, s.cmin::text::bigint
    from pg_foreign_server s
    where v_kinds && '{FOREIGN SERVER}' and s.srvacl is not null and age(s.xmin) <= v_age and age(s.xmin) >= v_youngest
    union all
    select 826, d.oid, d.xmin, d.cmin::text::bigint
    from pg_default_acl d
    where v_kinds && '{DEFAULT}' and age(d.xmin) <= v_age and age(d.xmin) >= v_youngest
    union all
    select 3256, p.oid, p.xmin, p.cmin::text::bigint
    from pg_policy p
    where v_kinds && '{POLICY}' and age(p.xmin) <= v_age and age(p.xmin) >= v_youngest
    offset 0
  ) own
  where own.command > v_seen and bridge.is_own(own.xmin);
  perform set_config('bridge.seen_command', greatest(v_seen, v_command)::text, true),
    set_config('bridge.seen_columns', v_updated::text, true);
  perform bridge.capture(coalesce(v_classes, '{}'), coalesce(v_oids, '{}'), dependents => false);
end
$$;

-- Whether a row that is seen and has this xmin, which is not older than the current transaction, was
-- written by it.
create or replace function bridge.is_own(xmin xid) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_full bigint := pg_current_xact_id()::text::bigint + age(pg_current_xact_id()::xid) - age(xmin);
begin
  -- Others that began later have ended when we see what they wrote.
  return v_full >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint or pg_xact_status(v_full::text::xid8) = 'in progress';
end
$$;

-- The relations that a word of the statement names, perhaps; null where that is not easily known.
create or replace function bridge.named_relations() returns oid[]
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  v_statement text := current_query();
begin
  if octet_length(v_statement) > 10000 then
    return null;
  end if;
  return array(
    select c.oid
    from pg_class c
    where c.relname = any (regexp_split_to_array(v_statement || ' ' || lower(v_statement), '[^[:alnum:]_$]+')::name[]));
end
$$;

-- How many rows of theirs in pg_class and pg_attribute this transaction has written.
create or replace function bridge.own_rows(relations oid[]) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
  v_age integer := age(pg_current_xact_id()::xid);
  v_youngest integer := v_age - 10000000;
begin
  return (
    select count(*)
    from (
      select c.xmin from pg_class c where c.oid = any (relations) and age(c.xmin) <= v_age and age(c.xmin) >= v_youngest
      union all
      select a.xmin from pg_attribute a where a.attrelid = any (relations) and age(a.xmin) <= v_age and age(a.xmin) >= v_youngest
      offset 0
    ) own
    where bridge.is_own(own.xmin));
end
$$;

-- How many rows were written into these catalogs, by this transaction and some before it.
create or replace function bridge.rows_written() returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  return pg_stat_get_xact_tuples_inserted('pg_class'::regclass) + pg_stat_get_xact_tuples_updated('pg_class'::regclass)
    + pg_stat_get_xact_tuples_inserted('pg_attribute'::regclass) + pg_stat_get_xact_tuples_updated('pg_attribute'::regclass);
end
$$;

-- What bridge.capture_privileges wants to know of the time before the command.
create or replace function bridge.before_privileges() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if current_setting('track_counts') = 'on' and bridge.own_rows(bridge.named_relations()) = 0 then
    perform set_config('bridge.rows_written', bridge.rows_written()::text, true);
  end if;
end
$$;

-- What a command has made or changed; called at its end, within the event trigger.
create or replace function bridge.capture_command(tag text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_classes oid[];
  v_oids oid[];
  v_also_classes oid[] := '{}';
  v_also_oids oid[] := '{}';
  v_drop_classes oid[];
  v_drop_oids oid[];
begin
  if tag in ('GRANT', 'REVOKE', 'ALTER DEFAULT PRIVILEGES', 'DROP OWNED') then
    perform bridge.capture_privileges(tag);
    return;
  end if;
  if tag = 'SECURITY LABEL' then
    return;
  end if;
  select array_agg(d.classid), array_agg(d.objid) into v_classes, v_oids
  from (
    select distinct d.classid, d.objid
    from pg_event_trigger_ddl_commands() d
    where d.classid = any (bridge.captured_classes())
      and d.schema_name is distinct from 'pg_temp' and d.schema_name is distinct from 'bridge'
      and not d.in_extension
  ) d;
  if v_classes is null then
    return;
  end if;
  case
    when tag = 'ALTER EXTENSION' then
      -- What becomes or ceases to be a member is not told.
      perform bridge.capture_all();
      return;
    when tag = 'CREATE EXTENSION' then
      -- Neither is what was made with it, by CASCADE or for its objects' schema.
      with recursive required (class, oid) as (
        select * from rows from (unnest(v_classes), unnest(v_oids)) as given (class, oid)
        union
        select d.refclassid, d.refobjid
        from required r
        join pg_depend d on d.classid = r.class and d.objid = r.oid
        where r.class = 3079 and d.refclassid in (3079, 2615) and d.deptype = 'n'
      )
      select array_agg(r.class), array_agg(r.oid) into v_also_classes, v_also_oids from required r;
    when tag = 'ALTER TABLE' then
      -- Neither is the partition that was detached, and nothing ties it to its parent any more.
      if exists (select from pg_class c where c.oid = any (v_oids) and c.relkind = 'p') then
        select coalesce(array_agg(1259::oid), '{}'), coalesce(array_agg(c.oid), '{}') into v_also_classes, v_also_oids
        from pg_class c
        where age(c.xmin) <= age(pg_current_xact_id()::xid)
          and c.relkind in ('r', 'p', 'f') and c.oid <> all (v_oids) and c.oid >= 16384;
      end if;
    else
      null;
  end case;
  if tag in ('ALTER TABLE', 'ALTER TYPE') and current_setting('bridge.parts_1259', true) <> '' then
    select array_agg(p.class), array_agg(p.oid) into v_drop_classes, v_drop_oids from bridge.vanished_parts() p;
  end if;
  perform bridge.capture(v_classes, v_oids, coalesce(v_drop_classes, '{}'), coalesce(v_drop_oids, '{}'),
    tag not in ('COMMENT', 'CREATE EXTENSION'), v_also_classes, v_also_oids);
  if tag = 'REFRESH MATERIALIZED VIEW' then
    perform bridge.emit_rows(o, 'refreshed') from unnest(v_oids) o;
  end if;
exception when others then
  raise warning 'bridge: the change of the schema is not captured: %', sqlerrm;
end
$$;

-- What a command has dropped; called within the event trigger. What has lost a part is captured.
create or replace function bridge.capture_drops() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_classes oid[];
  v_oids oid[];
  v_drop_classes oid[];
  v_drop_oids oid[];
begin
  with dropped as materialized (
    select o.classid, o.objid, o.objsubid, o.object_type, o.address_names as names
    from pg_event_trigger_dropped_objects() o
    where not o.is_temporary and o.schema_name is distinct from 'bridge'
  ), lost (class, oid) as (
    select 1259::oid, to_regclass(format('%I.%I', d.names[1], d.names[2]))::oid
    from dropped d
    where d.objsubid <> 0 or d.object_type in ('default value', 'table constraint', 'trigger', 'rule', 'policy')
    union
    select 1247, to_regtype(d.names[1])::oid
    from dropped d
    where d.object_type = 'domain constraint'
    union
    select 2753, f.oid
    from dropped d
    join pg_am m on m.amname = d.names[1]
    join pg_opfamily f on f.opfmethod = m.oid and f.opfname = d.names[3]
    join pg_namespace n on n.oid = f.opfnamespace and n.nspname = d.names[2]
    where d.classid in (2602, 2603)
    union
    -- Operators whose commutator or negator it was have been written.
    select 2617, p.oid
    from pg_operator p
    where age(p.xmin) <= age(pg_current_xact_id()::xid) and p.oid >= 16384
      and exists (select from dropped d where d.classid = 2617)
  )
  select
    (select array_agg(l.class order by l.class, l.oid) from lost l where l.oid is not null),
    (select array_agg(l.oid order by l.class, l.oid) from lost l where l.oid is not null),
    (select array_agg(d.classid order by d.classid, d.objid) from dropped d where d.objsubid = 0 and d.classid = any (bridge.captured_classes())),
    (select array_agg(d.objid order by d.classid, d.objid) from dropped d where d.objsubid = 0 and d.classid = any (bridge.captured_classes()))
  into v_classes, v_oids, v_drop_classes, v_drop_oids;
  perform bridge.capture(coalesce(v_classes, '{}'), coalesce(v_oids, '{}'), coalesce(v_drop_classes, '{}'), coalesce(v_drop_oids, '{}'));
exception when others then
  raise warning 'bridge: the change of the schema is not captured: %', sqlerrm;
end
$$;

-- Before a table's rows are written anew: no change of a row tells of it. With other storage or
-- another access method they stay what they were.
create or replace function bridge.on_rewrite() returns event_trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  -- Bits of the reason: 1 persistence, 2 default, 4 type, 8 access method.
  if pg_event_trigger_table_rewrite_reason() & 6 <> 0
    and exists (
      select
      from pg_class c
      join pg_publication_rel r on r.prrelid = c.oid
      join pg_publication p on p.oid = r.prpubid
      join bridge.setting s on s.publication = p.pubname
      where c.oid = pg_event_trigger_table_rewrite_oid() and c.relpersistence = 'p')
  then
    perform bridge.emit_rows(pg_event_trigger_table_rewrite_oid(), 'rewritten');
  end if;
exception when others then
  raise warning 'bridge: that the rows were rewritten is not told: %', sqlerrm;
end
$$;

revoke all on all functions in schema bridge from public;
