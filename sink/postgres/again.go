package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/schema"
	"github.com/pgbridge/pgbridge/sink"
)

// Copying a table while the replica is live
//
// The table is read in one snapshot of the master that sees every block the replica
// has applied, and replaces what the replica has, in one transaction. From then on
// changes that the snapshot saw are skipped, and the others applied as ever: with
// one snapshot there is nothing in between. So it works for tables without a key,
// and no constraint of the table is ever violated.
//
// It is done once the table has the same columns on the master as here. While the
// replica is behind, that may have to wait for the next changes of the schema.

// Maintain copies tables again for which that was asked for (bridge repair, and what
// the log does not hold), and ends a copy that the stream has passed. See sink.Target.
func (t *Target) Maintain(ctx context.Context, models sink.Models) error {
	t.models = models
	if err := t.findDrift(ctx); err != nil {
		return err
	}
	var wanted bool
	if err := t.conn.QueryRow(ctx, `select exists (select from bridge.copy_table where state = 'wanted')`).Scan(&wanted); err != nil {
		return t.wrap("look for tables to copy again", err)
	}
	if wanted || t.consistent == never {
		return t.copyWanted(ctx)
	}
	t.mu.Lock()
	at := t.position.LSN
	t.mu.Unlock()
	if t.consistent != 0 && at >= t.consistent {
		return t.finishCopy(ctx)
	}
	return nil
}

// hasWanted says whether the stream has met tables that are to be copied.
func (t *Target) hasWanted() bool {
	for _, c := range t.copies {
		if c.wanted {
			return true
		}
	}
	return false
}

// wantAgain notes that a table is copied again, because what was copied before is ahead
// of the block and stands in its way.
func (t *Target) wantAgain(ctx context.Context, c *contradiction) error {
	model, err := t.models.Model(ctx, t.modelSum)
	if err != nil {
		return err
	}
	rendered, err := (&run{t: t, ctx: ctx, model: model}).schema()
	if err != nil {
		return err
	}
	tbl := rendered.tables[c.oid]
	if tbl == nil {
		return c.err
	}
	t.o.Log.Debug("table is copied again, it is ahead", "replica", t.o.Name, "table", tbl.Name, "reason", c.err)
	r := &run{t: t, ctx: ctx, model: model, wanted: map[uint32]bool{}}
	if _, err := t.conn.Exec(ctx, "begin"); err != nil {
		return t.wrap("begin", err)
	}
	if err := r.want(tbl, false); err != nil {
		t.conn.Exec(ctx, "rollback") // else the connection ends, and the transaction with it
		return err
	}
	if _, err := t.conn.Exec(ctx, "commit"); err != nil {
		return t.wrap("note the copy", err)
	}
	_, err = t.read(ctx)
	return err
}

// copyWanted copies the tables that are wanted and can be copied now, each in a
// transaction of its own.
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
	left := 0
	for _, s := range tables {
		done, err := t.copyAgain(ctx, master, s)
		if err != nil {
			return fmt.Errorf("copy table %s again: %w", s.name, err)
		}
		if !done {
			left++
		}
	}
	if left == 0 {
		consistent, err := markEnd(ctx, master)
		if err != nil {
			return err
		}
		if _, err := t.conn.Exec(ctx, `update bridge.position set state = 'catching_up', consistent_lsn = $1::text::pg_lsn`, consistent.String()); err != nil {
			return t.wrap("note the copy", err)
		}
	}
	// Read what the stream has to know now.
	_, err = t.read(ctx)
	return err
}

// settled says whether every transaction has ended that may have written to the table
// before it was published: what such a transaction wrote then is not in the
// stream, even when it commits later. Read-only transactions do not count.
func (t *Target) settled(ctx context.Context, master *pgx.Conn, oid uint32) (bool, error) {
	var text string
	if err := master.QueryRow(ctx, `select pg_catalog.pg_current_snapshot()::text`).Scan(&text); err != nil {
		return false, fmt.Errorf("take a snapshot of the master: %w", err)
	}
	sn, err := parseSnapshot(text)
	if err != nil {
		return false, err
	}
	if _, known := t.settling[oid]; !known {
		t.settling[oid] = sn.xmax
	}
	return sn.xmin >= t.settling[oid], nil
}

// copyAgain copies a table; false: it can not be done yet.
func (t *Target) copyAgain(ctx context.Context, master *pgx.Conn, s *source) (done bool, err error) {
	t.mu.Lock()
	position := t.position
	t.mu.Unlock()
	model, err := t.models.Model(ctx, t.modelSum)
	if err != nil {
		return false, err
	}
	rendered, err := (&run{t: t, ctx: ctx, model: model}).schema()
	if err != nil {
		return false, err
	}
	tbl := rendered.tables[s.oid]
	if tbl == nil {
		_, err := t.conn.Exec(ctx, `delete from bridge.copy_table where relid = $1`, s.oid)
		return true, t.wrap("note that a table is gone", err)
	}
	if s.settle {
		if settled, err := t.settled(ctx, master, s.oid); err != nil || !settled {
			return false, err
		}
	}
	read, sn, err := snapshotBehind(ctx, master, s.name, position.Seq)
	if undefined(err) {
		return false, nil // renamed or dropped since
	}
	if err != nil {
		return false, err
	}
	defer read.Rollback(context.WithoutCancel(ctx)) // it only reads
	same, err := sameShape(ctx, read, tbl)
	if err != nil || !same {
		return false, err
	}
	t.o.Log.Info("table is copied", "replica", t.o.Name, "table", s.name)
	write, err := t.conn.Begin(ctx)
	if err != nil {
		return false, t.wrap("begin", err)
	}
	defer write.Rollback(context.WithoutCancel(ctx)) // does nothing after the commit
	wake, err := t.silence(ctx, t.conn, s.name, rendered)
	if err != nil {
		return false, err
	}
	if err := t.empty(ctx, s.name); err != nil {
		return false, err
	}
	var count counter
	rows, err := t.transfer(ctx, master, t.conn, chunk{table: s}, &count)
	if behind, headErr := t.behind(ctx, master, position); err != nil && doesNotFit(err) && headErr == nil && behind {
		// The rows are those of a later schema: a type that has more values, a check that is gone.
		t.o.Log.Debug("table can not be copied yet", "replica", t.o.Name, "table", s.name, "reason", err)
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := wake(); err != nil {
		return false, err
	}
	batch := &pgx.Batch{}
	batch.Queue(`delete from bridge.copy_chunk where relid = $1`, s.oid)
	batch.Queue(`insert into bridge.copy_chunk (relid, chunk, snapshot, rows) values ($1, 0, $2, $3)`, s.oid, sn, rows)
	batch.Queue(`update bridge.copy_table set state = 'copied', planned = true where relid = $1`, s.oid)
	batch.Queue(`update bridge.position set state = 'catching_up', consistent_lsn = $1::text::pg_lsn`, never.String())
	if err := write.SendBatch(ctx, batch).Close(); err != nil {
		return false, t.wrap("note the copy", err)
	}
	if err := read.Rollback(ctx); err != nil {
		return false, fmt.Errorf("master: %w", err)
	}
	if err := onDisk(ctx, master); err != nil {
		return false, err
	}
	if err := write.Commit(ctx); err != nil {
		return false, t.wrap("commit the copy", err)
	}
	delete(t.settling, s.oid)
	return true, nil
}

// empty takes all rows from a table, within the open transaction.
func (t *Target) empty(ctx context.Context, name string) error {
	var referenced bool
	if err := t.conn.QueryRow(ctx, `
		select exists (select from pg_catalog.pg_constraint where contype = 'f' and confrelid = pg_catalog.to_regclass($1))`, name).Scan(&referenced); err != nil {
		return t.wrap("look up table "+name, err)
	}
	sql := "truncate only " + name
	if referenced {
		sql = "delete from only " + name
	}
	_, err := t.conn.Exec(ctx, sql)
	return t.wrap("empty table "+name, err)
}

// behind says whether the log has blocks behind the position, or is about to.
func (t *Target) behind(ctx context.Context, master *pgx.Conn, position change.Position) (behind bool, err error) {
	err = master.QueryRow(ctx, `select exists (select from bridge.commit_block where seq > $1)`, position.Seq).Scan(&behind)
	return behind, err
}

// doesNotFit says whether rows were refused for what they are.
func doesNotFit(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code[:2] == "22" || pg.Code[:2] == "23" || pg.Code[:2] == "42")
}

// undefined says whether a table, a column, a type or a schema is not there.
func undefined(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "42703" || pg.Code == "42704" || pg.Code == "3F000")
}

// sameShape says whether the master's table has the columns that the model gives it,
// under the snapshot of read.
func sameShape(ctx context.Context, read pgx.Tx, tbl *schema.Table) (bool, error) {
	rows, err := read.Query(ctx, `
		select a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
		from pg_catalog.pg_class c
		join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
		where c.oid = $1 and c.oid = pg_catalog.to_regclass($2)
		order by a.attnum`, tbl.OID, schema.Quote(tbl.Schema, tbl.Name))
	if err != nil {
		return false, fmt.Errorf("master: look up table %s: %w", tbl.Name, err)
	}
	same, n := true, 0
	var num int16
	var name, typ string
	_, err = pgx.ForEachRow(rows, []any{&num, &name, &typ}, func() error {
		same = same && n < len(tbl.Columns) && tbl.Columns[n].Num == num && tbl.Columns[n].Name == name && tbl.Columns[n].Type == typ
		n++
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("master: look up table %s: %w", tbl.Name, err)
	}
	return same && n == len(tbl.Columns), nil
}

// snapshotBehind begins a transaction on the master that holds the table, and whose
// snapshot sees every block up to seq.
func snapshotBehind(ctx context.Context, master *pgx.Conn, table string, seq int64) (pgx.Tx, string, error) {
	for {
		tx, err := master.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
		if err != nil {
			return nil, "", fmt.Errorf("master: %w", err)
		}
		// Locked before the snapshot is taken, as in copyChunk.
		_, err = tx.Exec(ctx, "lock table only "+table+" in access share mode")
		if err == nil {
			var blocks int
			var sn string
			if blocks, sn, err = unseen(ctx, tx, seq); err == nil && blocks == 0 {
				return tx, sn, nil
			}
		}
		tx.Rollback(context.WithoutCancel(ctx)) // it only read
		if err != nil {
			return nil, "", fmt.Errorf("master: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, "", context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
