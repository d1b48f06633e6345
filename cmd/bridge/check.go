package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/pgbridge/pgbridge"
)

func (a *app) checkCommand() *cobra.Command {
	var o pgbridge.CheckOptions
	var asJSON bool
	c := &cobra.Command{
		Use:   "check -c FILE [--replica NAME] [--table PATTERN] [--json]",
		Short: "Compare master and replicas, schema and data, and name what differs",
		Long: "Compares the replicas, or those that are named, with the master while both are in use: the schema, and\n" +
			"the rows of every replicated table. Every difference is a line: replica, table, key, values.\n" +
			"Exit status 3 when there is one. What is only on its way to the replica is no difference.",
		Example: "  bridge check -c bridge.yaml\n" +
			"  bridge check -c bridge.yaml --replica eu --table 'sales.*'",
		Args: noArgs,
	}
	c.Flags().StringArrayVar(&o.Replicas, "replica", nil, "check the replica with this `NAME`; can be given again; default all")
	c.Flags().StringVar(&o.Tables, "table", "", "check only tables that match this `PATTERN` (schema.table, * and ?)")
	c.Flags().IntVar(&o.Limit, "limit", 20, "name at most so many differing rows of a table")
	c.Flags().DurationVar(&o.Patience, "timeout", 30*time.Second, "how long a replica may take to catch up")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		d := a.display()
		defer d.end()
		b, err := a.bridge(d)
		if err != nil {
			return err
		}
		if err := knownReplicas(b, o.Replicas...); err != nil {
			return err
		}
		if o.Limit < 1 {
			return usage("--limit %d: want at least 1", o.Limit)
		}
		if o.Patience <= 0 {
			return usage("--timeout %s: want more than 0", o.Patience)
		}
		var lines pace
		o.Progress = func(replica, table string, rows, total int64) {
			d.show("check "+replica+" "+table, "", "rows", rows, total)
			if !d.tty && lines.due("") {
				b.Log.Info("check", "replica", replica, "table", table, "rows", rows, "of", total)
			}
		}
		if !asJSON {
			o.Found = func(f pgbridge.CheckFinding) {
				d.hide()
				fmt.Fprintln(a.out, oneLine(f.String()))
			}
		}
		reports, err := b.Check(c.Context(), o)
		d.end()
		if errors.Is(err, pgbridge.ErrNoTable) {
			return usage("--table: %w", err)
		}
		if err != nil && len(reports) == 0 {
			return err
		}
		return a.printCheck(reports, err, asJSON)
	}
	return c
}

// printCheck sums up. What was found goes before what failed.
func (a *app) printCheck(reports []pgbridge.CheckReport, err error, asJSON bool) error {
	found, failed := 0, err
	for _, r := range reports {
		found += len(r.Findings)
		if r.Error != "" {
			failed = fmt.Errorf("check of replica %s: %s", r.Replica, r.Error)
		}
	}
	if asJSON {
		if err := printJSON(a.out, map[string]any{"replicas": reports}); err != nil {
			return err
		}
	} else {
		for _, r := range reports {
			for _, note := range r.Notes {
				fmt.Fprintf(a.out, "%s note: %s\n", r.Replica, oneLine(note))
			}
			fmt.Fprintln(a.out, checkSummary(&r))
		}
	}
	switch {
	case found > 0:
		for _, r := range reports {
			if r.Error != "" {
				fmt.Fprintf(a.err, "bridge: check of replica %s: %s\n", r.Replica, r.Error)
			}
		}
		return errFound
	default:
		return failed
	}
}

func checkSummary(r *pgbridge.CheckReport) string {
	s := fmt.Sprintf("%s: %s with %s compared: ", r.Replica, count(int64(r.Tables), "table"), count(r.Rows, "row"))
	switch n := int64(len(r.Findings)); {
	case n > 0:
		s += count(n, "difference")
		if r.More > 0 {
			s += fmt.Sprintf(" named, %s more", grouped(r.More))
		}
	case r.Error != "":
		return s + "not finished"
	default:
		return s + "no differences"
	}
	if r.Error != "" {
		s += ", not finished"
	}
	return s
}
