package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/master"
)

func (a *app) dropCommand() *cobra.Command {
	var replica string
	c := &cobra.Command{
		Use:   "drop -c FILE [--replica NAME]",
		Short: "Take everything of the bridge off the master, or off a replica; user tables stay",
		Long: "Takes off the master what init and run put there: schema bridge, publication, slot, event triggers, and\n" +
			"replica identities that were changed. With --replica it makes that replica an ordinary database instead,\n" +
			"and the master forgets it. User tables and their rows stay. Stop bridge run first.",
		Example: "  bridge drop -c bridge.yaml --replica eu\n" +
			"  bridge drop -c bridge.yaml",
		Args: noArgs,
	}
	c.Flags().StringVar(&replica, "replica", "", "take it off the replica with this `NAME`, not off the master")
	c.RunE = func(c *cobra.Command, _ []string) error {
		b, err := a.bridge(a.err)
		if err != nil {
			return err
		}
		if c.Flags().Changed("replica") {
			if err := knownReplicas(b, replica); err != nil {
				return err
			}
			return a.dropReplica(c.Context(), b, replica)
		}
		return a.dropMaster(c.Context(), b)
	}
	return c
}

func (a *app) dropMaster(ctx context.Context, b *pgbridge.Bridge) error {
	conn, err := b.Connect(ctx, "")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	before, err := belongings(ctx, conn, b)
	if err != nil {
		return err
	}
	if err := master.Drop(ctx, conn, masterOptions(b)); err != nil {
		return fmt.Errorf("drop: %w", err)
	}
	after, err := belongings(ctx, conn, b)
	if err != nil {
		return err
	}
	a.printRemoved("the master", before, after)
	if len(before) > 0 && len(b.Config.Replicas) > 0 {
		fmt.Fprintln(a.out, "Replicas keep what they have: bridge drop --replica NAME takes schema bridge off one.")
	}
	return nil
}

func (a *app) dropReplica(ctx context.Context, b *pgbridge.Bridge, name string) error {
	replicaErr := func() error {
		conn, err := b.Connect(ctx, name)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		applying, err := pgbridge.Applying(ctx, conn)
		if err != nil {
			return fmt.Errorf("replica %s: %w", name, err)
		}
		if applying {
			return fmt.Errorf("a bridge applies to replica %s, and would begin again: stop bridge run first, or take the replica out of its configuration", name)
		}
		before, err := belongings(ctx, conn, b)
		if err != nil {
			return err
		}
		if err := master.DropReplica(ctx, conn); err != nil {
			return fmt.Errorf("drop from replica %s: %w", name, err)
		}
		after, err := belongings(ctx, conn, b)
		if err != nil {
			return err
		}
		a.printRemoved("replica "+name, before, after)
		return nil
	}()
	if replicaErr != nil && ctx.Err() == nil {
		return replicaErr
	}
	conn, err := b.Connect(ctx, "")
	if err == nil {
		defer conn.Close(context.WithoutCancel(ctx))
		err = master.Forget(ctx, conn, name)
	}
	if err != nil {
		return errors.Join(replicaErr, fmt.Errorf("the master still keeps blocks for replica %s: %w; run the command again when it is reachable", name, err))
	}
	fmt.Fprintf(a.out, "The master has forgotten replica %s.\n", name)
	return replicaErr
}

// belongings lists what there is of the bridge in a database.
func belongings(ctx context.Context, conn *pgx.Conn, b *pgbridge.Bridge) ([]string, error) {
	rows, err := conn.Query(ctx, `
		select 'schema bridge' from pg_namespace where nspname = 'bridge'
		union all
		select 'publication ' || pubname from pg_publication where pubname = $2
		union all
		select 'slot ' || slot_name from pg_replication_slots where slot_name = $1 and database = current_database()
		union all
		select 'event trigger ' || evtname from pg_event_trigger where evtname in ('bridge_ddl', 'bridge_drop', 'bridge_alter', 'bridge_rewrite')`,
		b.Config.Master.Slot, b.Config.Master.Publication)
	if err != nil {
		return nil, fmt.Errorf("look for what there is of the bridge: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func (a *app) printRemoved(where string, before, after []string) {
	left := map[string]bool{}
	for _, what := range after {
		left[what] = true
	}
	var removed []string
	for _, what := range before {
		if !left[what] {
			removed = append(removed, what)
		}
	}
	if len(removed) == 0 {
		fmt.Fprintf(a.out, "There was nothing of the bridge on %s.\n", where)
		return
	}
	fmt.Fprintf(a.out, "Removed from %s: %s. User tables stay.\n", where, strings.Join(removed, ", "))
}
