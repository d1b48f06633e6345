package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/master"
)

func (a *app) initCommand() *cobra.Command {
	var print bool
	c := &cobra.Command{
		Use:   "init -c FILE [--print]",
		Short: "Prepare the master: schema bridge, slot, publication, triggers",
		Long: "Prepares the master: schema bridge, the publication, event triggers that keep it up to date, and the\n" +
			"replication slot. It is safe to run again, and does then what is missing.",
		Example: "  bridge init -c bridge.yaml\n" +
			"  bridge init -c bridge.yaml --print | less    the SQL, without doing anything",
		Args: noArgs,
	}
	c.Flags().BoolVar(&print, "print", false, "show the SQL and do nothing")
	c.RunE = func(c *cobra.Command, _ []string) error {
		b, err := a.bridge(a.err)
		if err != nil {
			return err
		}
		if print {
			_, err := fmt.Fprint(a.out, master.Print(masterOptions(b)))
			return err
		}
		conn, err := b.Connect(c.Context(), "")
		if err != nil {
			return err
		}
		defer conn.Close(c.Context())
		r, err := master.Init(c.Context(), conn, masterOptions(b))
		if err != nil {
			return fmt.Errorf("init: %w", err)
		}
		a.printInit(b, &r)
		return nil
	}
	return c
}

func masterOptions(b *pgbridge.Bridge) master.Options {
	m := b.Config.Master
	return master.Options{Slot: m.Slot, Publication: m.Publication, Include: m.Tables.Include, Exclude: m.Tables.Exclude}
}

func (a *app) printInit(b *pgbridge.Bridge, r *master.Report) {
	m := b.Config.Master
	if r.First {
		fmt.Fprintf(a.out, "The master is prepared: slot %s, publication %s with %s, the log begins at %s.\n",
			m.Slot, m.Publication, count(int64(r.Published), "table"), r.Anchor.LSN)
	} else {
		fmt.Fprintf(a.out, "The master was prepared already: slot %s, publication %s with %s.\n",
			m.Slot, m.Publication, count(int64(r.Published), "table"))
	}
	list := func(tables []master.Table) string {
		names := make([]string, len(tables))
		for i, t := range tables {
			names[i] = t.String()
		}
		return strings.Join(names, ", ")
	}
	if len(r.Full) > 0 {
		fmt.Fprintf(a.out, "Got another replica identity, for want of a usable key: %s.\n", list(r.Full))
	}
	if len(r.Restored) > 0 {
		fmt.Fprintf(a.out, "Got their own replica identity back: %s.\n", list(r.Restored))
	}
	if len(r.Added) > 0 {
		fmt.Fprintf(a.out, "Came into the publication after the log had begun, so rows they had are not in it: %s.\n", list(r.Added))
	}
	if len(r.Removed) > 0 {
		fmt.Fprintf(a.out, "Left the publication: %s.\n", list(r.Removed))
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(a.out, "Not replicated: %s: %s.\n", s.Table, s.Reason)
	}
	if !r.Triggers {
		fmt.Fprintln(a.out, "There are no event triggers, which only a superuser can create: run bridge init again after each change of the schema.")
	}
	if r.First {
		fmt.Fprintln(a.out, "Next: bridge run")
	}
}
