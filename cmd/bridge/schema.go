package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/schema"
)

func (a *app) schemaCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "schema",
		Short: "Show the schema in the log, what changed when, and what would run on a replica",
		Long:  "Looks at the models of the log: the schema of the master as it travels with the commit blocks.",
		Example: "  bridge schema show -c bridge.yaml\n" +
			"  bridge schema history -c bridge.yaml\n" +
			"  bridge schema diff -c bridge.yaml --replica eu",
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	c.AddCommand(a.schemaShowCommand(), a.schemaDiffCommand(), a.schemaHistoryCommand())
	return c
}

// modelError makes a wrong name of a model a wrong usage.
func modelError(err error) error {
	if errors.Is(err, pgbridge.ErrNoModel) {
		return usage("%w", err)
	}
	return err
}

func (a *app) schemaShowCommand() *cobra.Command {
	var replica, at string
	var asJSON bool
	c := &cobra.Command{
		Use:   "show -c FILE [--at SEQ|MODEL] [--replica NAME] [--json]",
		Short: "Print a model: the schema at the end of the log, or behind a block",
		Long: "Prints the model in force at the end of the log, or behind a block, or the one whose checksum begins as given.\n" +
			"With --replica that of the replica's position and log.",
		Example: "  bridge schema show -c bridge.yaml\n" +
			"  bridge schema show -c bridge.yaml --at 42",
		Args: noArgs,
	}
	replicaLog(c, &replica)
	c.Flags().StringVar(&at, "at", "", "the model behind block `SEQ`, or the one whose checksum begins so")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		b, err := a.loggedAt(replica)
		if err != nil {
			return err
		}
		s, err := b.Schema(c.Context(), replica, at)
		if err != nil {
			return modelError(err)
		}
		if asJSON {
			return printJSON(a.out, shownModel(s))
		}
		fmt.Fprintf(a.out, "model %s, block %d, %s\n\n%s", s.Sum, s.Seq, count(int64(len(s.Model.Objects)), "object"), s.Model.Show())
		for _, what := range s.Model.NotCovered {
			fmt.Fprintf(a.out, "not replicated: %s\n", what)
		}
		return nil
	}
	return c
}

type shownObject struct {
	Kind       schema.Kind `json:"kind"`
	Schema     string      `json:"schema"`
	Table      string      `json:"table"`
	Name       string      `json:"name"`
	Definition string      `json:"definition"`
}

func shownModel(s *pgbridge.SchemaAt) any {
	shown := struct {
		Model      string        `json:"model"`
		Seq        int64         `json:"seq"`
		Objects    []shownObject `json:"objects"`
		NotCovered []string      `json:"not_covered"`
	}{s.Sum.String(), s.Seq, []shownObject{}, append([]string{}, s.Model.NotCovered...)}
	for _, o := range s.Model.Objects {
		if o.Definition != "" {
			shown.Objects = append(shown.Objects, shownObject{o.Kind, o.Schema, o.Table, o.Name, o.Definition})
		}
	}
	return shown
}

func (a *app) schemaDiffCommand() *cobra.Command {
	var replica string
	var asSQL bool
	c := &cobra.Command{
		Use:   "diff -c FILE [A B] [--replica NAME] [--sql]",
		Short: "Compare two models, or what a replica has with what it should have",
		Long: "With two models, given as block numbers or beginnings of checksums: what became of A's objects in B.\n" +
			"Without: what the replica has in its database against the model at its position; objects of its own are\n" +
			"no difference. Exit status 3 when there is a difference.\n\n" +
			"--sql prints what would run on a replica: from A to B, or from the replica's position to the end of the master's log.\n" +
			"Nothing is executed.",
		Example: "  bridge schema diff -c bridge.yaml --replica eu\n" +
			"  bridge schema diff -c bridge.yaml 17 42 --sql",
		Args: cobra.MaximumNArgs(2),
	}
	c.Flags().StringVar(&replica, "replica", "", "the replica with this `NAME`; default the only one")
	c.Flags().BoolVar(&asSQL, "sql", false, "print the statements that would run")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			return usage("one model is given: want two, or none")
		}
		b, err := a.loggedAt(replica)
		if err != nil {
			return err
		}
		if len(args) == 2 {
			before, err := b.Schema(c.Context(), replica, args[0])
			if err != nil {
				return modelError(err)
			}
			after, err := b.Schema(c.Context(), replica, args[1])
			if err != nil {
				return modelError(err)
			}
			if asSQL {
				steps, err := schema.Plan(before.Model, after.Model)
				return a.printSteps(steps, err)
			}
			return a.printDifferences(pgbridge.SchemaDifferences(before.Model, after.Model))
		}
		if replica == "" {
			if len(b.Config.Replicas) != 1 {
				return usage("--replica: say which one")
			}
			replica = b.Config.Replicas[0].Name
		}
		if asSQL {
			steps, err := b.SchemaAhead(c.Context(), replica)
			return a.printSteps(steps, modelError(err))
		}
		differences, err := b.SchemaOnReplica(c.Context(), replica)
		if err != nil {
			return modelError(err)
		}
		lines := make([]string, len(differences))
		for i, d := range differences {
			lines[i] = d.Explain()
		}
		return a.printDifferences(lines)
	}
	return c
}

func (a *app) printDifferences(lines []string) error {
	for _, line := range lines {
		fmt.Fprintln(a.out, line)
	}
	if len(lines) == 0 {
		fmt.Fprintln(a.out, "no difference")
		return nil
	}
	return errFound
}

func (a *app) printSteps(steps schema.Steps, err error) error {
	if err != nil {
		return err
	}
	for _, s := range steps.First {
		fmt.Fprintf(a.out, "%s; -- committed before the block\n", s.SQL)
	}
	for _, s := range steps.Then {
		fmt.Fprintf(a.out, "%s;\n", s.SQL)
	}
	return nil
}

func (a *app) schemaHistoryCommand() *cobra.Command {
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use:   "history -c FILE [--limit N] [--json]",
		Short: "List the blocks that changed the schema, newest first",
		Long:  "Lists the blocks of the master's log that changed the schema, newest first, each with what it made (+), changed (~) and dropped (-).",
		Example: "  bridge schema history -c bridge.yaml\n" +
			"  bridge schema history -c bridge.yaml --limit 3",
		Args: noArgs,
	}
	c.Flags().IntVar(&limit, "limit", 20, "list at most `N` blocks")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if limit < 1 {
			return usage("--limit has to be at least 1")
		}
		b, err := a.loggedAt("")
		if err != nil {
			return err
		}
		list, err := b.SchemaHistory(c.Context(), limit)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(a.out, append([]pgbridge.SchemaChange{}, list...))
		}
		for _, change := range list {
			fmt.Fprintf(a.out, "block %d, %s, xid %d, %s, model %.8s\n", change.Seq,
				change.CommitTime.Local().Format("2006-01-02 15:04:05.000000"), change.XID, change.LSN, change.Model)
			for _, line := range change.Differences {
				fmt.Fprintf(a.out, "  %s\n", line)
			}
		}
		return nil
	}
	return c
}
