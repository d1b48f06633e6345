package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/pgbridge/pgbridge"
)

func (a *app) statusCommand() *cobra.Command {
	var asJSON, watch bool
	c := &cobra.Command{
		Use:   "status -c FILE [--json] [--watch]",
		Short: "Show where everything stands",
		Long: "Shows master, log and replicas: where each stands, how far behind it is, and why one stands still.\n" +
			"Exit status 1 when the master does not answer; what is known is shown all the same.",
		Example: "  bridge status -c bridge.yaml\n" +
			"  bridge status -c bridge.yaml --watch\n" +
			"  bridge status -c bridge.yaml --json | jq '.replicas[] | {name, state, lag}'",
		Args: noArgs,
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&watch, "watch", false, "again every second, until interrupted")
	c.RunE = func(c *cobra.Command, _ []string) error {
		b, err := a.bridge(a.err)
		if err != nil {
			return err
		}
		if watch {
			return a.watch(c.Context(), b, asJSON)
		}
		s := b.Status(c.Context())
		if asJSON {
			err = printJSON(a.out, s)
		} else {
			_, err = a.out.Write(statusText(s, time.Now()))
		}
		if err != nil {
			return err
		}
		if !s.Master.Reachable {
			return fmt.Errorf("the master is not reachable: %s", s.Master.Error)
		}
		return nil
	}
	return c
}

const watchEvery = time.Second

// watch shows the status every second until it is interrupted: in place on a terminal, else a line after the other.
func (a *app) watch(ctx context.Context, b *pgbridge.Bridge, asJSON bool) error {
	tty := isTerminal(a.out) && !asJSON
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		s := b.Status(ctx)
		if ctx.Err() != nil {
			return nil
		}
		var text []byte
		switch now := time.Now(); {
		case asJSON:
			line, err := json.Marshal(s)
			if err != nil {
				return err
			}
			text = append(line, '\n')
		case tty:
			text = redraw(statusText(s, now))
		default:
			text = statusLine(s, now)
		}
		if _, err := a.out.Write(text); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
