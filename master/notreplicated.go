package master

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/schema"
)

// NoteNotReplicated keeps in bridge.not_replicated, for whoever asks, what of a schema
// the replicas can not have. The schema is that of a model of the log; what no model tells of
// is asked for. On an idle master it writes nothing.
func NoteNotReplicated(ctx context.Context, conn *pgx.Conn, model *change.Model, tables func(schema, table string) bool) error {
	objects, err := schema.NotInImage(ctx, conn)
	if err != nil {
		return fmt.Errorf("look for what is not replicated: %w", err)
	}
	if model.Entry(change.Address{}) != nil { // it knows the schema
		m, err := schema.FromCatalog(schema.CatalogOf(model), schema.Options{Table: tables})
		if err != nil {
			return fmt.Errorf("look for what is not replicated: %w", err)
		}
		objects = slices.Concat(objects, m.NotCovered, m.LeftOut)
	}
	objects = append([]string{}, objects...) // never null
	slices.Sort(objects)
	objects = slices.Compact(objects)
	// Not a statement that could write where nothing is to be written.
	var same bool
	err = conn.QueryRow(ctx, `
		select coalesce((select array_agg(n.object order by n.object collate "C") from bridge.not_replicated n), '{}') = $1::text[]`, objects).Scan(&same)
	if err == nil && !same {
		err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `delete from bridge.not_replicated n where n.object <> all ($1::text[])`, objects); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `insert into bridge.not_replicated (object) select pg_catalog.unnest($1::text[]) on conflict do nothing`, objects)
			return err
		})
	}
	if hasCode(err, "42P01") {
		return nil // made before there was the table; bridge init makes it
	}
	if err != nil {
		return fmt.Errorf("note what is not replicated: %w", err)
	}
	return nil
}
