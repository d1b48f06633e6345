package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) waitCommand() *cobra.Command {
	var replicas []string
	var timeout time.Duration
	c := &cobra.Command{
		Use:   "wait -c FILE [--replica NAME] [--timeout 30s]",
		Short: "Wait until the replicas show what is committed on the master now",
		Long: "Returns when the replicas, or those that are named, show all that was committed on the master when the\n" +
			"command began. What is committed later is not waited for. Exit status 1 when the time is over.",
		Example: "  bridge wait -c bridge.yaml && psql -h eu.example app\n" +
			"  bridge wait -c bridge.yaml --replica eu --timeout 5s",
		Args: noArgs,
	}
	c.Flags().StringArrayVar(&replicas, "replica", nil, "wait for the replica with this `NAME`; can be given again; default all")
	c.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "give up after this `TIME`")
	c.RunE = func(c *cobra.Command, _ []string) error {
		b, err := a.bridge(a.err)
		if err != nil {
			return err
		}
		if err := knownReplicas(b, replicas...); err != nil {
			return err
		}
		if timeout <= 0 {
			return usage("--timeout %s: want more than 0", timeout)
		}
		ctx, cancel := context.WithTimeout(c.Context(), timeout)
		defer cancel()
		if err := b.Wait(ctx, replicas...); err != nil {
			return fmt.Errorf("wait: %w", err)
		}
		return nil
	}
	return c
}
