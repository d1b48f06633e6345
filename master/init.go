package master

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/schema"
	"github.com/pgbridge/pgbridge/sql"
)

// Version is the number of what Init installs. A database with a higher one is refused.
const Version = 1

// Init prepares the master, or repairs what is missing of it; run again on a complete one it changes
// nothing. Whatever it fails at, running it again goes on from there. The connection is Init's until it
// returns, and must not be in a transaction.
//
// Tables are taken one at a time, each in a short transaction of its own, so that nobody has to wait
// for more than one of them; the slot comes last and the log's anchor behind it.
func Init(ctx context.Context, conn *pgx.Conn, o Options) (Report, error) {
	o = o.withDefaults()
	var r Report
	err := session(ctx, conn, func() error {
		found, err := look(ctx, conn, o)
		if err != nil {
			return err
		}
		if err := found.refuse(o); err != nil {
			return err
		}
		if err := install(ctx, conn, o, &r); err != nil {
			return err
		}
		if err := publish(ctx, conn, o, found.anchored, &r); err != nil {
			return err
		}
		start, err := ensureSlot(ctx, conn, o, found)
		if err != nil {
			return err
		}
		if err := anchor(ctx, conn, o, start, found, &r); err != nil {
			return err
		}
		// Behind the slot's start, so that the log begins with it.
		_, err = CaptureMissed(ctx, conn)
		return err
	})
	return r, err
}

// found is what there was before Init.
type found struct {
	serverVersion int
	recovery      bool
	walLevel      string

	version  int // of the installation, 0 when there is none
	replica  bool
	foreign  []string // relations in a schema bridge that is not ours
	anchored bool     // the log has begun
	used     bool     // there are blocks, replicas or later epochs: the log's beginning can not be moved
	slotName string   // as stored by the Init before
	pubName  string

	slot *slot // nil when there is none of that name
}

func look(ctx context.Context, conn *pgx.Conn, o Options) (*found, error) {
	f := &found{}
	var version, setting bool
	err := conn.QueryRow(ctx, `
		select current_setting('server_version_num')::integer, pg_is_in_recovery(), current_setting('wal_level'),
			to_regclass('bridge.version') is not null, to_regclass('bridge.setting') is not null,
			to_regclass('bridge.position') is not null, to_regclass('bridge.epoch') is not null,
			array(select relname::text from pg_class where relnamespace = to_regnamespace('bridge') order by 1 limit 3)`).
		Scan(&f.serverVersion, &f.recovery, &f.walLevel, &version, &setting, &f.replica, &f.anchored, &f.foreign)
	if err != nil {
		return nil, fmt.Errorf("look at the master: %w", err)
	}
	if version {
		f.foreign = nil
		if err := conn.QueryRow(ctx, `select coalesce(max(number), 0) from bridge.version`).Scan(&f.version); err != nil {
			return nil, fmt.Errorf("read the installed version: %w", err)
		}
	}
	if setting {
		err := conn.QueryRow(ctx, `select slot, publication from bridge.setting`).Scan(&f.slotName, &f.pubName)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return nil, fmt.Errorf("read the stored settings: %w", err)
		}
	}
	if f.anchored {
		err := conn.QueryRow(ctx, `select exists (select from bridge.epoch), exists (select from bridge.epoch where after_seq > 0)`).
			Scan(&f.anchored, &f.used)
		if err != nil {
			return nil, fmt.Errorf("read the log's epochs: %w", err)
		}
	}
	for _, table := range []string{"bridge.commit_block", "bridge.replica"} {
		var rows bool
		err := conn.QueryRow(ctx, `select to_regclass($1) is not null`, table).Scan(&rows)
		if err == nil && rows {
			err = conn.QueryRow(ctx, `select exists (select from `+table+`)`).Scan(&rows)
		}
		if err != nil {
			return nil, fmt.Errorf("look into %s: %w", table, err)
		}
		f.used = f.used || rows
	}
	if f.slot, err = findSlot(ctx, conn, o.Slot); err != nil {
		return nil, err
	}
	return f, nil
}

// ErrLogEnded says that changes of the master are missing in the log and can not be had any more.
var ErrLogEnded = errors.New("the log can not go on: run bridge drop and then bridge init; replicas are copied again")

// refuse says why Init can not go on, before it has changed anything.
func (f *found) refuse(o Options) error {
	for _, err := range []error{f.refuseServer(), f.refuseInstallation(o), f.refuseSlot(o)} {
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *found) refuseServer() error {
	switch {
	case f.serverVersion < 140000:
		return fmt.Errorf("the master is PostgreSQL %d, which is too old: 14 to 18 are supported", f.serverVersion/10000)
	case f.recovery:
		return errors.New("the server is a standby: give the address of the primary")
	case f.walLevel != "logical":
		return fmt.Errorf("wal_level is %s: run \"alter system set wal_level = logical\" on the master and restart it", f.walLevel)
	}
	return nil
}

func (f *found) refuseInstallation(o Options) error {
	switch {
	case f.replica:
		return errors.New("this database is a replica: give the address of the master, or make it an ordinary database with bridge drop --replica")
	case f.version > Version:
		return fmt.Errorf("schema bridge is of version %d, this program knows %d: use a newer bridge", f.version, Version)
	case f.version == 0 && len(f.foreign) > 0:
		return fmt.Errorf("there is a schema bridge that is not ours (it holds %q): rename it, the name is needed", f.foreign)
	case f.anchored && f.slotName != "" && f.slotName != o.Slot:
		return fmt.Errorf("the log was begun with slot %q, the configuration names %q: change it back, or run bridge drop first", f.slotName, o.Slot)
	case f.pubName != "" && f.pubName != o.Publication:
		return fmt.Errorf("publication %q is in use, the configuration names %q: change it back, or run bridge drop first", f.pubName, o.Publication)
	}
	return nil
}

// install makes all that is not a table's, in one transaction.
func install(ctx context.Context, conn *pgx.Conn, o Options, r *Report) error {
	deadline := time.Now().Add(o.Patience)
	for {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return installIn(ctx, tx, o, r) })
		switch {
		case err == nil:
			return nil
		case hasCode(err, codeInsufficientPrivilege):
			return fmt.Errorf("install schema bridge: %w; run it as the role that ran it first or as a superuser; the first time the role needs: grant create on database", err)
		case !hasCode(err, codeLockNotAvailable) || time.Now().After(deadline):
			return fmt.Errorf("install schema bridge: %w", err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func installIn(ctx context.Context, tx pgx.Tx, o Options, r *Report) error {
	// Shorter than deadlock_timeout: when we and the tap wait for each other it must be us who give way.
	if _, err := tx.Exec(ctx, `set local lock_timeout = '500ms'`); err != nil {
		return err
	}
	for _, script := range []string{sql.Log, sql.Master, schema.CaptureFunctions(), sql.Capture} {
		if _, err := tx.Exec(ctx, script); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, storeVersion); err != nil {
		return fmt.Errorf("store the version: %w", err)
	}
	if _, err := tx.Exec(ctx, storeSettings, o.Slot, o.Publication, o.Include, o.Exclude); err != nil {
		return fmt.Errorf("store the settings: %w", err)
	}
	if _, err := tx.Exec(ctx, forgetDropped); err != nil {
		return fmt.Errorf("forget tables that are gone: %w", err)
	}
	if err := ensurePublication(ctx, tx, o); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `select bridge.install_triggers()`)
		return err
	})
	if err != nil && !hasCode(err, codeInsufficientPrivilege) {
		return fmt.Errorf("create the event triggers: %w", err)
	}
	r.Triggers = err == nil
	return nil
}

var (
	storeVersion = fmt.Sprintf(`
insert into bridge.version (number) values (%d)
on conflict (one) do update set number = excluded.number where bridge.version.number <> excluded.number`, Version)

	storeSettings = `
insert into bridge.setting as s (slot, publication, include, exclude) values ($1, $2, $3, $4)
on conflict (one) do update
set slot = excluded.slot, publication = excluded.publication, include = excluded.include, exclude = excluded.exclude
where (s.slot, s.publication, s.include, s.exclude) is distinct from
  (excluded.slot, excluded.publication, excluded.include, excluded.exclude)`

	forgetDropped = `
delete from bridge.replica_identity r where not exists (select from pg_class c where c.oid = r.relid);
delete from bridge.index_identity r where not exists (select from pg_class c where c.oid = r.relid);
delete from bridge.pending_table r where not exists (select from pg_class c where c.oid = r.relid);
delete from bridge.added_table r where not exists (select from pg_class c where c.oid = r.relid)`

	publishesAll = `publish = 'insert, update, delete, truncate', publish_via_partition_root = false`
)

// ensurePublication makes the publication, or checks that the one that is there publishes whole rows
// of listed tables. Roots of partitioned tables leave it: their partitions are published.
func ensurePublication(ctx context.Context, tx pgx.Tx, o Options) error {
	name := pgx.Identifier{o.Publication}.Sanitize()
	var all, complete bool
	err := tx.QueryRow(ctx, `
		select puballtables, pubinsert and pubupdate and pubdelete and pubtruncate and not pubviaroot
		from pg_publication
		where pubname = $1`, o.Publication).Scan(&all, &complete)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		if _, err := tx.Exec(ctx, `create publication `+name+` with (`+publishesAll+`)`); err != nil {
			return fmt.Errorf("create publication %s: %w", o.Publication, err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("look for publication %s: %w", o.Publication, err)
	case all:
		return fmt.Errorf("publication %s is for all tables, which can make statements on the master fail: name another one, or drop it", o.Publication)
	case !complete:
		if _, err := tx.Exec(ctx, `alter publication `+name+` set (`+publishesAll+`)`); err != nil {
			return fmt.Errorf("alter publication %s: %w", o.Publication, err)
		}
	}
	var partial bool
	err = tx.QueryRow(ctx, `
		select exists (
			select
			from pg_publication_rel r
			join pg_publication p on p.oid = r.prpubid
			where p.pubname = $1 and (to_jsonb(r) ->> 'prqual' is not null or to_jsonb(r) ->> 'prattrs' is not null))`, // not in 14
		o.Publication).Scan(&partial)
	if err != nil {
		return fmt.Errorf("look into publication %s: %w", o.Publication, err)
	}
	if partial {
		return fmt.Errorf("publication %s has row filters or column lists, it is not ours: name another one, or drop it", o.Publication)
	}
	roots, err := collectTables(ctx, tx, `
		select c.oid, n.nspname, c.relname
		from pg_publication_rel r
		join pg_publication p on p.oid = r.prpubid
		join pg_class c on c.oid = r.prrelid
		join pg_namespace n on n.oid = c.relnamespace
		where p.pubname = $1 and c.relkind = 'p'`, o.Publication)
	if err != nil {
		return fmt.Errorf("look into publication %s: %w", o.Publication, err)
	}
	for _, t := range roots {
		if _, err := tx.Exec(ctx, `alter publication `+name+` drop table only `+t.quoted()); err != nil {
			return fmt.Errorf("take %s out of publication %s: %w", t, o.Publication, err)
		}
	}
	return nil
}

// publish brings every table into the state that the patterns ask for.
func publish(ctx context.Context, conn *pgx.Conn, o Options, anchored bool, r *Report) error {
	tables, err := collectTables(ctx, conn, toDo)
	if err != nil {
		return fmt.Errorf("list the tables: %w", err)
	}
	// The commit of the anchor puts all of this on disk.
	if _, err := conn.Exec(ctx, `set synchronous_commit = off`); err != nil {
		return fmt.Errorf("publish the tables: %w", err)
	}
	for _, t := range tables {
		var done []string
		err := patiently(ctx, conn, o, t, func() error {
			return conn.QueryRow(ctx, `select bridge.publish($1)`, t.OID).Scan(&done)
		})
		switch {
		case hasCode(err, codeInsufficientPrivilege):
			r.Skipped = append(r.Skipped, Skipped{t, "the role that runs init must own it: " + err.Error()})
			continue
		case err != nil:
			return fmt.Errorf("publish: %w", err)
		}
		if slices.Contains(done, "unfit") {
			r.Skipped = append(r.Skipped, Skipped{t, "it has generated columns, with which PostgreSQL 18 can not identify its rows without a key: give it a primary key of other columns"})
		}
		for what, list := range map[string]*[]Table{"identity": &r.Full, "restored": &r.Restored, "removed": &r.Removed} {
			if slices.Contains(done, what) {
				*list = append(*list, t)
			}
		}
		if anchored && slices.Contains(done, "added") {
			r.Added = append(r.Added, t)
		}
	}
	if _, err := conn.Exec(ctx, `set synchronous_commit = on`); err != nil {
		return fmt.Errorf("publish the tables: %w", err)
	}
	if err := conn.QueryRow(ctx, `select count(*) from bridge.table_state where published`).Scan(&r.Published); err != nil {
		return fmt.Errorf("count the published tables: %w", err)
	}
	return nil
}

const toDo = `select relid, schema_name, table_name from bridge.table_to_do order by schema_name, table_name`

// PublishPending publishes the tables whose event trigger could not, because another transaction was
// changing the publication, and returns them. They stand in bridge.added_table too. To be called now
// and then by whoever taps; it does nothing when nothing waits.
func PublishPending(ctx context.Context, conn *pgx.Conn) ([]Table, error) {
	var waiting bool
	if err := conn.QueryRow(ctx, `select exists (select from bridge.pending_table)`).Scan(&waiting); err != nil {
		return nil, fmt.Errorf("look for tables that wait to be published: %w", err)
	}
	if !waiting {
		return nil, nil
	}
	tables, err := collectTables(ctx, conn, `
		select c.oid, n.nspname, c.relname
		from bridge.publish_pending() p
		join pg_catalog.pg_class c on c.oid = p
		join pg_catalog.pg_namespace n on n.oid = c.relnamespace`)
	if err != nil {
		return nil, fmt.Errorf("publish the tables that wait for it: %w", err)
	}
	return tables, nil
}

func collectTables(ctx context.Context, conn commitlog.Conn, query string, args ...any) ([]Table, error) {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Table])
}
