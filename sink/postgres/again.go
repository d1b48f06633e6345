package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/schema"
)

// Copying a table while the replica is live
//
// The table is read in one snapshot of the master that sees every block the replica
// has applied, and replaces what the replica has, in one transaction. From then on
// changes that the snapshot saw are skipped, and the others applied as ever: with
// one snapshot there is nothing in between. So it works for tables without a key,
// and no constraint of the table is ever violated.

// Maintain copies tables again for which that was asked for (bridge repair), and
// tables that are new on the master. See sink.Target.
func (t *Target) Maintain(ctx context.Context) error {
	var wanted bool
	if err := t.conn.QueryRow(ctx, `select exists (select from bridge.copy_table where state = 'wanted')`).Scan(&wanted); err != nil {
		return t.wrap("look for tables to copy again", err)
	}
	if wanted {
		return t.copyWanted(ctx)
	}
	if t.consistent != 0 || time.Since(t.compared) < compareEvery {
		return nil
	}
	t.compared = time.Now()
	return t.adopt(ctx, false)
}

// compareEvery is how often the list of published tables is compared with the
// tables that are known.
const compareEvery = 10 * time.Second

// adopt makes what was created on the master since the replica was copied, as far as
// tables need it, and copies the new tables, and those whose rows were not all in
// the log when they were published. Transactions that wrote to such a table before
// must have ended; with wait false, it is left for later where they have not.
func (t *Target) adopt(ctx context.Context, wait bool) error {
	master, err := pgx.ConnectConfig(ctx, t.masterConfig())
	if err != nil {
		return fmt.Errorf("connect to the master to look for new tables: %w", err)
	}
	defer master.Close(context.WithoutCancel(ctx))
	tables, err := publishedTables(ctx, master, t.o.Publication)
	if err != nil {
		return err
	}
	fresh, err := t.fresh(ctx, tables)
	if err != nil || len(fresh) == 0 {
		return err
	}
	if settled, err := t.settle(ctx, master, fresh, wait); err != nil || !settled {
		return err
	}
	tables, wanted, err := t.readSchema(ctx, master)
	if err != nil {
		return err
	}
	if fresh, err = t.fresh(ctx, tables); err != nil {
		return err
	}
	there, err := schema.Read(ctx, t.conn, schema.Options{})
	if err != nil {
		return t.wrap("read the schema", err)
	}
	later, err := t.undone(ctx)
	if err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		for _, s := range stepsFor(wanted, there) {
			if later[s.object] {
				continue
			}
			if _, err := tx.Exec(ctx, s.sql, pgx.QueryExecModeSimpleProtocol); err != nil {
				return fmt.Errorf("create %s: %w", s.object, err)
			}
		}
		for _, tbl := range fresh {
			if err := want(ctx, tx, tbl); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return t.wrap("create tables that are new on the master", err)
	}
	for _, tbl := range fresh {
		t.adopted[tbl.oid] = tbl.added
		t.o.Log.Info("table is new on the master", "replica", t.o.Name, "table", tbl.schema+"."+tbl.name)
	}
	return t.copyWanted(ctx)
}

// fresh lists the tables that have to be copied: they are not on the replica, or had
// rows that are not in the log.
func (t *Target) fresh(ctx context.Context, tables []published) ([]published, error) {
	var fresh []published
	for _, tbl := range tables {
		if added, known := t.adopted[tbl.oid]; known && added == tbl.added {
			continue
		}
		if tbl.added == 0 {
			var there bool
			if err := t.conn.QueryRow(ctx, `select pg_catalog.to_regclass($1) is not null`, schema.Quote(tbl.schema, tbl.name)).Scan(&there); err != nil {
				return nil, t.wrap("look up table "+tbl.name, err)
			}
			if there {
				t.adopted[tbl.oid] = 0
				continue
			}
		}
		fresh = append(fresh, tbl)
	}
	return fresh, nil
}

// settle says whether every transaction has ended that may have written to the tables
// before they were published: what such a transaction wrote then is not in the
// stream, even when it commits later. Read-only transactions do not count.
func (t *Target) settle(ctx context.Context, master *pgx.Conn, tables []published, wait bool) (bool, error) {
	for {
		var text string
		if err := master.QueryRow(ctx, `select pg_catalog.pg_current_snapshot()::text`).Scan(&text); err != nil {
			return false, fmt.Errorf("take a snapshot of the master: %w", err)
		}
		sn, err := parseSnapshot(text)
		if err != nil {
			return false, err
		}
		settled := true
		for _, tbl := range tables {
			if tbl.added == 0 {
				continue // it was published by the transaction that created it
			}
			if _, known := t.settling[tbl.oid]; !known {
				t.settling[tbl.oid] = sn.xmax
			}
			settled = settled && sn.xmin >= t.settling[tbl.oid]
		}
		if settled || !wait {
			return settled, nil
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// undone names the objects that a copy which is under way makes at its end.
func (t *Target) undone(ctx context.Context) (map[string]bool, error) {
	rows, err := t.conn.Query(ctx, `select object from bridge.copy_step where not done`)
	if err != nil {
		return nil, t.wrap("read the steps of the copy", err)
	}
	objects, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, t.wrap("read the steps of the copy", err)
	}
	undone := map[string]bool{}
	for _, o := range objects {
		undone[o] = true
	}
	return undone, nil
}

// want notes that a table is to be copied.
func want(ctx context.Context, tx pgx.Tx, tbl published) error {
	_, err := tx.Exec(ctx, `
		insert into bridge.copy_table (schema_name, table_name, relid, state, estimated_rows, estimated_bytes)
		values ($1, $2, $3, 'wanted', $4, $5)
		on conflict (schema_name, table_name) do update set relid = excluded.relid, state = 'wanted'`,
		tbl.schema, tbl.name, tbl.oid, tbl.rows, tbl.bytes)
	if err != nil || tbl.added == 0 {
		return err
	}
	return noteAdded(ctx, tx, tbl)
}

// noteAdded keeps that the rows which a table had when it was published are copied.
func noteAdded(ctx context.Context, tx pgx.Tx, tbl published) error {
	_, err := tx.Exec(ctx, `
		insert into bridge.added_table_copied (relid, lsn) values ($1, $2::text::pg_lsn)
		on conflict (relid) do update set lsn = excluded.lsn`, tbl.oid, tbl.added.String())
	return err
}

// readAdopted loads what noteAdded has kept.
func (t *Target) readAdopted(ctx context.Context) error {
	rows, err := t.conn.Query(ctx, `select relid, lsn::text from bridge.added_table_copied`)
	if err != nil {
		return t.wrap("read the tables that were added", err)
	}
	var oid uint32
	var lsn change.LSN
	_, err = pgx.ForEachRow(rows, []any{&oid, &lsn}, func() error {
		t.adopted[oid] = lsn
		return nil
	})
	return t.wrap("read the tables that were added", err)
}

// copyWanted copies every table that is wanted, each in a transaction of its own.
func (t *Target) copyWanted(ctx context.Context) error {
	master, err := pgx.ConnectConfig(ctx, t.masterConfig())
	if err != nil {
		return fmt.Errorf("connect to the master to copy from: %w", err)
	}
	defer master.Close(context.WithoutCancel(ctx))
	tables, err := t.sources(ctx, master, "wanted")
	if err != nil {
		return err
	}
	for _, s := range tables {
		if err := t.copyAgain(ctx, master, s); err != nil {
			return fmt.Errorf("copy table %s again: %w", s.name, err)
		}
	}
	// Read what the stream has to know now.
	_, err = t.read(ctx)
	return err
}

func (t *Target) copyAgain(ctx context.Context, master *pgx.Conn, s *source) error {
	t.mu.Lock()
	position := t.position
	t.mu.Unlock()
	t.o.Log.Info("table is copied", "replica", t.o.Name, "table", s.name)
	read, sn, err := snapshotBehind(ctx, master, position.Seq)
	if err != nil {
		return err
	}
	defer read.Rollback(context.WithoutCancel(ctx)) // it only reads
	write, err := t.conn.Begin(ctx)
	if err != nil {
		return t.wrap("begin", err)
	}
	defer write.Rollback(context.WithoutCancel(ctx)) // does nothing after the commit
	var referenced bool
	if err := write.QueryRow(ctx, `
		select exists (select from pg_catalog.pg_constraint where contype = 'f' and confrelid = pg_catalog.to_regclass($1))`, s.name).Scan(&referenced); err != nil {
		return t.wrap("look up the table", err)
	}
	empty := "truncate only " + s.name
	if referenced {
		empty = "delete from only " + s.name
	}
	if _, err := write.Exec(ctx, empty); err != nil {
		return t.wrap("empty the table", err)
	}
	var count counter
	rows, err := t.transfer(ctx, master, t.conn, chunk{table: s}, &count)
	if err != nil {
		return err
	}
	batch := &pgx.Batch{}
	batch.Queue(`delete from bridge.copy_chunk where schema_name = $1 and table_name = $2`, s.schema, s.tableName.name)
	batch.Queue(`insert into bridge.copy_chunk (schema_name, table_name, chunk, snapshot, rows) values ($1, $2, 0, $3, $4)`,
		s.schema, s.tableName.name, sn, rows)
	batch.Queue(`update bridge.copy_table set state = 'copied', planned = true where schema_name = $1 and table_name = $2`, s.schema, s.tableName.name)
	if err := write.SendBatch(ctx, batch).Close(); err != nil {
		return t.wrap("note the copy", err)
	}
	if err := read.Rollback(ctx); err != nil {
		return fmt.Errorf("master: %w", err)
	}
	consistent, err := markEnd(ctx, master)
	if err != nil {
		return err
	}
	if _, err := write.Exec(ctx, `update bridge.position set state = 'catching_up', consistent_lsn = $1::text::pg_lsn`, consistent.String()); err != nil {
		return t.wrap("note the copy", err)
	}
	if err := write.Commit(ctx); err != nil {
		return t.wrap("commit the copy", err)
	}
	return nil
}

// snapshotBehind begins a transaction on the master whose snapshot sees every block
// up to seq.
func snapshotBehind(ctx context.Context, master *pgx.Conn, seq int64) (pgx.Tx, string, error) {
	for {
		tx, err := master.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
		if err != nil {
			return nil, "", fmt.Errorf("master: %w", err)
		}
		unseen, sn, err := unseen(ctx, tx, seq)
		if err == nil && unseen == 0 {
			return tx, sn, nil
		}
		tx.Rollback(context.WithoutCancel(ctx)) // it only read
		if err != nil {
			return nil, "", err
		}
		select {
		case <-ctx.Done():
			return nil, "", context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
