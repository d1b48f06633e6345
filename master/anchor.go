package master

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
)

// anchor begins the log, if it has not begun: the position behind which block 1 comes, and the model
// that is in force there. Both go in with one transaction.
func anchor(ctx context.Context, conn *pgx.Conn, o Options, start change.LSN, f *found, r *Report) error {
	if f.anchored {
		p, err := commitlog.Anchor(ctx, conn)
		r.Anchor = p
		return err
	}
	r.First = true
	r.Anchor = change.Position{Epoch: 1, LSN: start}
	err := pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx pgx.Tx) error {
		var system, database string
		err := tx.QueryRow(ctx, `select system_identifier::text, current_database()::text from pg_control_system()`).Scan(&system, &database)
		if err != nil {
			return fmt.Errorf("read the system identifier: %w", err)
		}
		r.Anchor.Checksum = anchorSum(system, database, start)
		model, err := readModel(ctx, tx, o.Publication)
		if err != nil {
			return err
		}
		sum := model.Checksum()
		batch := &pgx.Batch{}
		batch.Queue(`delete from bridge.epoch`) // of a log that nobody has used, see ensureSlot
		commitlog.QueueModel(batch, model, 0, nil)
		batch.Queue(`
			insert into bridge.epoch (epoch, after_seq, start_lsn, checksum, model, reason)
			values (1, 0, $1::text::pg_lsn, $2, $3, 'init')`, start.String(), r.Anchor.Checksum[:], sum[:])
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return fmt.Errorf("begin the log: %w", err)
	}
	return nil
}

// anchorSum is what block 1 is chained to: no two logs begin alike.
func anchorSum(system, database string, start change.LSN) change.Checksum {
	return sha256.Sum256([]byte("pgbridge anchor 1\n" + system + database + start.String()))
}

// readModel reads the published tables from the catalog, as RELATION messages describe them now.
// See logicalrep_write_rel in PostgreSQL's source: generated columns are left out, the key is
// that of the replica identity, and under FULL every column belongs to it.
func readModel(ctx context.Context, conn commitlog.Conn, publication string) (*change.Model, error) {
	rows, err := conn.Query(ctx, `
		select c.oid, n.nspname::text, c.relname::text, c.relreplident::text, coalesce(a.names, '{}'), coalesce(a.types, '{}'),
			coalesce(a.typmods, '{}'), coalesce(a.keys, '{}')
		from pg_publication p
		join pg_publication_rel r on r.prpubid = p.oid
		join pg_class c on c.oid = r.prrelid and c.relkind = 'r'
		join pg_namespace n on n.oid = c.relnamespace
		left join lateral (
			select i.indkey[0:i.indnkeyatts - 1] as attnums
			from pg_index i
			where i.indrelid = c.oid and i.indisvalid and i.indimmediate and i.indislive
				and (c.relreplident = 'd' and i.indisprimary or c.relreplident = 'i' and i.indisreplident)
		) k on true
		left join lateral (
			select array_agg(attname::text order by attnum) as names,
				array_agg(atttypid order by attnum) as types,
				array_agg(atttypmod order by attnum) as typmods,
				array_agg(c.relreplident = 'f' or coalesce(attnum = any (k.attnums), false) order by attnum) as keys
			from pg_attribute
			where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = ''
		) a on true
		where p.pubname = $1
		order by c.oid`, publication)
	if err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	relations, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*change.Relation, error) {
		var rel change.Relation
		var names []string
		var types []uint32
		var typmods []int32
		var keys []bool
		if err := row.Scan(&rel.OID, &rel.Schema, &rel.Name, &rel.Identity, &names, &types, &typmods, &keys); err != nil {
			return nil, err
		}
		rel.Columns = make([]change.Column, len(names))
		for i := range names {
			rel.Columns[i] = change.Column{Name: names[i], Type: types[i], Typmod: typmods[i], Key: keys[i]}
		}
		return &rel, nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the model: %w", err)
	}
	return change.NewModel(relations...), nil
}
