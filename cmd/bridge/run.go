package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/commitlog"
)

func (a *app) runCommand() *cobra.Command {
	var names []string
	c := &cobra.Command{
		Use:   "run -c FILE [--role ROLE …]",
		Short: "Replicate: run the tap and an applier for each replica",
		Long: "Runs what the configuration declares, the tap and an applier for each replica, until SIGINT or SIGTERM.\n" +
			"A replica that is new is copied first. What fails is logged and tried again. A second signal ends it at once.\n" +
			"With --role it runs a part, so that each can stand next to its database.",
		Example: "  bridge run -c bridge.yaml\n" +
			"  bridge run -c bridge.yaml --role tap\n" +
			"  bridge run -c bridge.yaml --role replica=eu --role replica=us",
		Args: noArgs,
	}
	c.Flags().StringArrayVar(&names, "role", nil, "run only this `ROLE`: tap or replica=NAME; can be given again")
	c.RunE = func(c *cobra.Command, _ []string) error {
		d := a.display()
		defer d.end()
		b, err := a.bridge(d)
		if err != nil {
			return err
		}
		roles, err := parseRoles(b, names)
		if err != nil {
			return err
		}
		b.Progress = (&copies{display: d, log: b.Log}).step
		b.Log.Info("bridge starts", "version", first(built()), "roles", cmp.Or(strings.Join(names, ","), "all"), "replicas", len(b.Config.Replicas))
		hint(c.Context(), b)
		adapting, stop := context.WithCancel(c.Context())
		var adapter sync.WaitGroup
		adapter.Go(func() { adaptProcessors(adapting) })
		err = b.Run(c.Context(), roles...)
		stop()
		adapter.Wait()
		if c.Context().Err() != nil {
			d.hide()
			b.Log.Info("bridge has ended: what is committed is committed", "reason", context.Cause(c.Context()).Error())
			return nil
		}
		return err
	}
	return c
}

func first(a, _ string) string { return a }

func parseRoles(b *pgbridge.Bridge, names []string) (roles []pgbridge.Role, err error) {
	for _, name := range names {
		role, err := pgbridge.ParseRole(name)
		if err != nil {
			return nil, usage("--role: %w", err)
		}
		if role.Replica != "" {
			if err := knownReplicas(b, role.Replica); err != nil {
				return nil, err
			}
		}
		if slices.Contains(roles, role) {
			return nil, usage("--role %s is given twice", name)
		}
		roles = append(roles, role)
	}
	return roles, nil
}

// hint says what is missing on a master that was never prepared. It may come while the bridge runs.
func hint(ctx context.Context, b *pgbridge.Bridge) {
	conn, err := b.Connect(ctx, "")
	if err != nil {
		return // the roles say so, and go on trying
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := commitlog.Anchor(ctx, conn); errors.Is(err, commitlog.ErrNotInitialized) {
		b.Log.Warn("the master is not prepared: run bridge init; this bridge waits for it")
	}
}
