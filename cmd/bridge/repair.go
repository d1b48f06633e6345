package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/pgbridge/pgbridge"
)

func (a *app) repairCommand() *cobra.Command {
	var replica, table string
	c := &cobra.Command{
		Use:   "repair -c FILE --replica NAME --table SCHEMA.TABLE",
		Short: "Have a table of a replica copied again",
		Long: "Asks for a table of a replica to be copied again from the master, which makes good whatever differs in it.\n" +
			"The running bridge does it at its next step; other tables and other replicas go on.",
		Example: "  bridge repair -c bridge.yaml --replica eu --table public.accounts",
		Args:    noArgs,
	}
	c.Flags().StringVar(&replica, "replica", "", "the replica's `NAME`")
	c.Flags().StringVar(&table, "table", "", "the `TABLE`, as schema.table; without a schema it is in public")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if replica == "" || table == "" {
			return usage("--replica and --table have to be given")
		}
		b, err := a.bridge(a.err)
		if err != nil {
			return err
		}
		if err := knownReplicas(b, replica); err != nil {
			return err
		}
		return a.repair(c.Context(), b, replica, table)
	}
	return c
}

func (a *app) repair(ctx context.Context, b *pgbridge.Bridge, replica, name string) error {
	schema, table, found := strings.Cut(name, ".")
	if !found {
		schema, table = "public", name
	}
	name = schema + "." + table
	from, err := b.Connect(ctx, "")
	if err != nil {
		return err
	}
	defer from.Close(context.WithoutCancel(ctx))
	var oid uint32
	var rows, bytes int64
	err = from.QueryRow(ctx, `
		select c.oid, greatest(c.reltuples, 0)::bigint, pg_table_size(c.oid)
		from pg_publication p
		join pg_publication_rel r on r.prpubid = p.oid
		join pg_class c on c.oid = r.prrelid and c.relkind = 'r'
		join pg_namespace n on n.oid = c.relnamespace
		where p.pubname = $1 and n.nspname = $2 and c.relname = $3`, b.Config.Master.Publication, schema, table).Scan(&oid, &rows, &bytes)
	if errors.Is(err, pgx.ErrNoRows) {
		return usage("--table: %s is not a table that is replicated from the master (names are written as in the catalog, without quotes; "+
			"of a partitioned table, name a partition)", name)
	}
	if err != nil {
		return fmt.Errorf("look up table %s on the master: %w", name, err)
	}
	to, err := b.Connect(ctx, replica)
	if err != nil {
		return err
	}
	defer to.Close(context.WithoutCancel(ctx))
	_, err = to.Exec(ctx, `
		insert into bridge.copy_table as t (schema_name, table_name, relid, state, estimated_rows, estimated_bytes)
		values ($1, $2, $3, 'wanted', $4, $5)
		on conflict (relid) do update
		set state = 'wanted', schema_name = excluded.schema_name, table_name = excluded.table_name, estimated_rows = excluded.estimated_rows, estimated_bytes = excluded.estimated_bytes`,
		schema, table, oid, rows, bytes)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && (pg.Code == "42P01" || pg.Code == "3F000") {
		return fmt.Errorf("replica %s has not been copied yet: bridge run does that, all tables together", replica)
	}
	if err != nil {
		return fmt.Errorf("ask replica %s for a copy of %s: %w", replica, name, err)
	}
	fmt.Fprintf(a.out, "Table %s of replica %s is copied again (about %s, %s): the running bridge does it at its next step.\n",
		name, replica, count(rows, "row"), size(bytes))
	applying, err := pgbridge.Applying(ctx, to)
	if err == nil && !applying {
		fmt.Fprintf(a.out, "No bridge applies to replica %s at the moment: bridge run has to be running.\n", replica)
	}
	return nil
}
