package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgbridge/pgbridge/change"
)

// rowLenient applies one change to a table that was copied while it changed: the row
// may be there as it was before the change, as it was later, or not any more.
func (r *run) rowLenient(tbl *table, seq int64, c *change.Change) error {
	old, keyChanges := tbl.oldRow(c)
	remove := func(row change.Tuple) {
		sql, types, params := tbl.sqlDelete(row)
		r.flight.exec(sql, types, params, nil, r.failure(seq, tbl))
	}
	if c.Op == change.Delete {
		remove(old)
		return nil
	}
	if complete(c.New) {
		if keyChanges {
			remove(old)
		}
		remove(c.New)
		sql, types := tbl.sqlInsert()
		r.exec(tbl, seq, c.New, sql, types, paramsOf(c.New))
		return nil
	}
	// Values are missing that only the row itself has.
	if keyChanges {
		if done, err := r.tryUpdate(tbl, seq, c.New, c.New, false); err != nil || done {
			remove(old)
			return err
		}
	}
	if done, err := r.tryUpdate(tbl, seq, old, c.New, keyChanges); err != nil || done {
		return err
	}
	if !r.t.copies[tbl.rel.OID].missing {
		return r.refetch(tbl, seq, c.New)
	}
	if keyChanges {
		r.copyLater(tbl, c.New)
	}
	return nil // it is copied yet
}

// copyLater notes that a row has to be copied: it was moved by a change of its key from a range that
// is not copied yet, perhaps to one that is.
func (r *run) copyLater(tbl *table, row change.Tuple) {
	key := make([]byte, 0, 64)
	for i, k := range tbl.key {
		key = append(key, "{,"[min(i, 1)])
		key = appendElement(key, row[k])
	}
	r.flight.exec(`
		insert into bridge.copy_chunk (relid, chunk, lower_key, upper_key)
		select relid, least(min(chunk), 0) - 1, $2::text::text[], $2::text::text[] from bridge.copy_chunk where relid = $1::text::oid group by relid`,
		[]uint32{pgtype.TextOID, pgtype.TextOID}, [][]byte{fmt.Append(nil, tbl.rel.OID), append(key, '}')}, nil, nil)
}

// tryUpdate updates the row that was old and says whether there was one.
func (r *run) tryUpdate(tbl *table, seq int64, old, row change.Tuple, keyChanges bool) (bool, error) {
	var found bool
	sql, types, params := tbl.sqlUpdate(old, row, keyChanges)
	r.flight.exec(sql, types, params, func(rows int64) error {
		found = rows > 0
		return nil
	}, r.failure(seq, tbl))
	err := r.flight.land()
	return found, err
}

// refetch reads a row again from the master: it was moved by a change of its key
// from a range that was copied later to one that was copied earlier, or it was
// deleted since. What it is read with counts like a chunk's snapshot.
func (r *run) refetch(tbl *table, seq int64, row change.Tuple) error {
	master, err := pgx.ConnectConfig(r.ctx, r.t.masterConfig())
	if err != nil {
		return fmt.Errorf("connect to the master to read a row of %s again: %w", tbl.rel, err)
	}
	defer master.Close(context.WithoutCancel(r.ctx))
	tx, err := master.BeginTx(r.ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return fmt.Errorf("read a row of %s again: %w", tbl.rel, err)
	}
	defer tx.Rollback(context.WithoutCancel(r.ctx)) // it only reads
	var text string
	if err := tx.QueryRow(r.ctx, `select pg_catalog.pg_current_snapshot()::text`).Scan(&text); err != nil {
		return fmt.Errorf("read a row of %s again: %w", tbl.rel, err)
	}
	sn, err := parseSnapshot(text)
	if err != nil {
		return err
	}
	fresh, err := tbl.fetch(r.ctx, tx, row)
	if err != nil {
		return fmt.Errorf("read a row of %s again: %w", tbl.rel, err)
	}
	// The marker that follows is not to be rolled back with the snapshot.
	if err := tx.Rollback(r.ctx); err != nil {
		return fmt.Errorf("read a row of %s again: %w", tbl.rel, err)
	}
	r.t.copies[tbl.rel.OID].add(sn)
	r.flight.expect(1, `
		insert into bridge.copy_chunk (relid, chunk, lower_key, upper_key, snapshot, rows)
		select relid, least(min(chunk), 0) - 1, '{}', '{}', $2, 1 from bridge.copy_chunk where relid = $1::text::oid group by relid`,
		[]uint32{pgtype.TextOID, pgtype.TextOID}, [][]byte{fmt.Append(nil, tbl.rel.OID), []byte(text)}, func(int64) error {
			return fmt.Errorf("the copy of table %s is not known any more", tbl.rel)
		}, nil)
	consistent, err := markEnd(r.ctx, master)
	if err != nil {
		return err
	}
	if r.t.consistent != never {
		r.t.consistent = consistent
		r.flight.exec(`update bridge.position set consistent_lsn = $1::text::pg_lsn`, []uint32{pgtype.TextOID}, [][]byte{[]byte(consistent.String())}, nil, nil)
	}
	if fresh == nil {
		return nil // deleted since: the stream will say so
	}
	sql, types := tbl.sqlInsert()
	r.exec(tbl, seq, fresh, sql, types, paramsOf(fresh))
	return nil
}

// fetch reads the row with row's key; nil when there is none.
func (tbl *table) fetch(ctx context.Context, tx pgx.Tx, row change.Tuple) (change.Tuple, error) {
	list, where := "", ""
	for i := range tbl.columns {
		if i > 0 {
			list += ", "
		}
		list += fmt.Sprintf("case when t.%s is not distinct from null then null else pg_catalog.format('%%s', t.%[1]s) end", tbl.columns[i].name)
	}
	var args []any
	for n, i := range tbl.key {
		if n > 0 {
			where += " and "
		}
		args = append(args, string(row[i].Data))
		where += fmt.Sprintf("pg_catalog.format('%%s', t.%s) = $%d", tbl.columns[i].name, len(args))
	}
	values := make([]*string, len(tbl.columns))
	into := make([]any, len(values))
	for i := range values {
		into[i] = &values[i]
	}
	err := tx.QueryRow(ctx, fmt.Sprintf("select %s from only %s t where %s", list, tbl.name, where), args...).Scan(into...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	fresh := make(change.Tuple, len(values))
	for i, v := range values {
		if v != nil {
			fresh[i] = change.Value{Kind: change.Text, Data: []byte(*v)}
		}
	}
	return fresh, nil
}
