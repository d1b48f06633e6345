package master

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// slotRelease is how long Drop waits for a walsender that is about to let go of the slot.
const slotRelease = 5 * time.Second

// Drop takes everything off the master that Init put there; tables and their rows stay, with the replica
// identities that they had. It can be run again after an error, and where only a part is there. Names that
// Init stored go before those of the options. The connection is Drop's until it returns.
func Drop(ctx context.Context, conn *pgx.Conn, o Options) error {
	o = o.withDefaults()
	return session(ctx, conn, func() error {
		f, err := look(ctx, conn, o)
		if err != nil {
			return err
		}
		if f.replica {
			return errors.New("this database is a replica: name it with --replica")
		}
		if f.version > Version {
			return fmt.Errorf("schema bridge is of version %d, this program knows %d: use a newer bridge", f.version, Version)
		}
		if f.version == 0 && len(f.foreign) > 0 {
			return fmt.Errorf("schema bridge is not ours (it holds %q): it is left alone", f.foreign)
		}
		if f.slotName != "" {
			o.Slot = f.slotName
		}
		if f.pubName != "" {
			o.Publication = f.pubName
		}
		if err := refuseDependents(ctx, conn); err != nil {
			return err
		}
		if err := waitForSlot(ctx, conn, o); err != nil {
			return err
		}
		if err := dropTriggers(ctx, conn); err != nil {
			return err
		}
		if err := dropSlot(ctx, conn, o); err != nil {
			return err
		}
		// Behind the publication: without it, no identity is asked for.
		if _, err := conn.Exec(ctx, `drop publication if exists `+pgx.Identifier{o.Publication}.Sanitize()); err != nil {
			return fmt.Errorf("drop publication %s: %w", o.Publication, err)
		}
		if err := restoreIdentities(ctx, conn, o); err != nil {
			return err
		}
		return dropSchema(ctx, conn, o)
	})
}

// DropReplica makes a replica an ordinary database: schema bridge goes, user tables stay.
func DropReplica(ctx context.Context, conn *pgx.Conn) error {
	o := Options{}.withDefaults()
	return session(ctx, conn, func() error {
		f, err := look(ctx, conn, o)
		if err != nil {
			return err
		}
		if !f.replica && f.slotName != "" {
			return errors.New("this database is a master, not a replica: use bridge drop without --replica")
		}
		if f.version == 0 && len(f.foreign) > 0 && !f.replica {
			return fmt.Errorf("schema bridge is not ours (it holds %q): it is left alone", f.foreign)
		}
		if err := refuseDependents(ctx, conn); err != nil {
			return err
		}
		return dropSchema(ctx, conn, o)
	})
}

// Forget removes a replica from the master's list, so that no blocks are kept for it any more. To forget
// one that is not there is no error.
func Forget(ctx context.Context, conn *pgx.Conn, name string) error {
	var there bool
	if err := conn.QueryRow(ctx, `select pg_catalog.to_regclass('bridge.replica') is not null`).Scan(&there); err != nil {
		return fmt.Errorf("look for the list of replicas: %w", err)
	}
	if !there {
		return nil
	}
	if _, err := conn.Exec(ctx, `delete from bridge.replica where name = $1`, name); err != nil {
		return fmt.Errorf("forget replica %s: %w", name, err)
	}
	return nil
}

// refuseDependents finds what of the user's needs schema bridge and would go with it.
func refuseDependents(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `
		select distinct v.oid::regclass::text
		from pg_class c
		join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid and d.classid = 'pg_rewrite'::regclass
		join pg_rewrite w on w.oid = d.objid
		join pg_class v on v.oid = w.ev_class
		where c.relnamespace = to_regnamespace('bridge') and v.relnamespace <> c.relnamespace
		union
		select k.conrelid::regclass::text
		from pg_class c
		join pg_constraint k on k.confrelid = c.oid
		join pg_class v on v.oid = k.conrelid
		where c.relnamespace = to_regnamespace('bridge') and v.relnamespace <> c.relnamespace`)
	if err != nil {
		return fmt.Errorf("look for what depends on schema bridge: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("look for what depends on schema bridge: %w", err)
	}
	if len(names) > 0 {
		return fmt.Errorf("schema bridge is used by %q, which would be dropped with it: drop them first", names)
	}
	return nil
}

// waitForSlot returns when nobody reads the slot.
func waitForSlot(ctx context.Context, conn *pgx.Conn, o Options) error {
	for deadline := time.Now().Add(min(o.Patience, slotRelease)); ; {
		s, err := findSlot(ctx, conn, o.Slot)
		if err != nil {
			return err
		}
		if s == nil || !s.ours() || s.pid == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("replication slot %q is in use by process %d: stop bridge run first", o.Slot, s.pid)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *slot) ours() bool { return s.here && s.plugin == "pgoutput" }

func dropSlot(ctx context.Context, conn *pgx.Conn, o Options) error {
	s, err := findSlot(ctx, conn, o.Slot)
	if err != nil || s == nil || !s.ours() {
		return err
	}
	if _, err := conn.Exec(ctx, `select pg_drop_replication_slot($1)`, o.Slot); err != nil {
		return fmt.Errorf("drop replication slot %q: %w", o.Slot, err)
	}
	return nil
}

func dropTriggers(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `
		select e.evtname
		from pg_event_trigger e
		join pg_proc p on p.oid = e.evtfoid
		where p.pronamespace = to_regnamespace('bridge')`)
	if err != nil {
		return fmt.Errorf("list event triggers: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list event triggers: %w", err)
	}
	for _, name := range names {
		if _, err := conn.Exec(ctx, `drop event trigger if exists `+pgx.Identifier{name}.Sanitize()); err != nil {
			return fmt.Errorf("drop event trigger %s: %w", name, err)
		}
	}
	return nil
}

func restoreIdentities(ctx context.Context, conn *pgx.Conn, o Options) error {
	var there bool
	if err := conn.QueryRow(ctx, `select to_regclass('bridge.replica_identity') is not null`).Scan(&there); err != nil {
		return fmt.Errorf("look for changed replica identities: %w", err)
	}
	if !there {
		return nil
	}
	tables, err := collectTables(ctx, conn, `
		select c.oid, n.nspname, c.relname
		from bridge.replica_identity r
		join pg_class c on c.oid = r.relid
		join pg_namespace n on n.oid = c.relnamespace
		order by 2, 3`)
	if err != nil {
		return fmt.Errorf("list changed replica identities: %w", err)
	}
	for _, t := range tables {
		err := patiently(ctx, conn, o, t, func() error {
			_, err := conn.Exec(ctx, `select bridge.restore_identity($1)`, t.OID)
			return err
		})
		if err != nil {
			return fmt.Errorf("restore the replica identity: %w", err)
		}
	}
	return nil
}

// dropSchema drops the log's partitions one at a time, so that the locks of a long log fit into the
// server's table of them, and then the rest.
func dropSchema(ctx context.Context, conn *pgx.Conn, o Options) error {
	partitions, err := collectTables(ctx, conn, `
		select c.oid, n.nspname, c.relname
		from pg_class c
		join pg_namespace n on n.oid = c.relnamespace
		where n.nspname = 'bridge' and c.relkind = 'r' and c.relispartition
		order by c.oid`)
	if err != nil {
		return fmt.Errorf("list the log's partitions: %w", err)
	}
	for _, t := range partitions {
		err := patiently(ctx, conn, o, t, func() error {
			_, err := conn.Exec(ctx, `drop table if exists `+t.quoted())
			return err
		})
		if err != nil {
			return fmt.Errorf("drop the log: %w", err)
		}
	}
	err = patiently(ctx, conn, o, Table{Schema: "bridge", Name: "*"}, func() error {
		_, err := conn.Exec(ctx, `drop schema if exists bridge cascade`)
		return err
	})
	if err != nil {
		return fmt.Errorf("drop schema bridge: %w", err)
	}
	return nil
}
