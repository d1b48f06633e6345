package main

import (
	"fmt"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/pgbridge/pgbridge"
)

func (a *app) logCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "log",
		Short: "List commit blocks, print one, verify the log",
		Long:  "Looks into the log of commit blocks: the master's, or with --replica a replica's copy of it.",
		Example: "  bridge log ls -c bridge.yaml\n" +
			"  bridge log show 42 -c bridge.yaml\n" +
			"  bridge log verify -c bridge.yaml --replica eu",
		Args: cobra.ArbitraryArgs,
		RunE: group,
	}
	c.AddCommand(a.logListCommand(), a.logShowCommand(), a.logVerifyCommand())
	return c
}

// replicaLog adds the flag that asks for a replica's log.
func replicaLog(c *cobra.Command, name *string) {
	c.Flags().StringVar(name, "replica", "", "the log of the replica with this `NAME`; default the master's")
}

// loggedAt loads the configuration and checks the replica's name.
func (a *app) loggedAt(replica string) (*pgbridge.Bridge, error) {
	b, err := a.bridge(a.err)
	if err != nil || replica == "" {
		return b, err
	}
	return b, knownReplicas(b, replica)
}

func (a *app) logListCommand() *cobra.Command {
	var replica string
	var from int64
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use:   "ls -c FILE [--from SEQ] [--limit N] [--replica NAME] [--json]",
		Short: "List blocks, newest first",
		Long:  "Lists blocks: the newest ones, newest first, or with --from those from a block on, in order.",
		Example: "  bridge log ls -c bridge.yaml --limit 5\n" +
			"  bridge log ls -c bridge.yaml --from 1000",
		Args: noArgs,
	}
	replicaLog(c, &replica)
	c.Flags().Int64Var(&from, "from", 0, "begin with block `SEQ`")
	c.Flags().IntVar(&limit, "limit", 20, "list at most `N` blocks")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if limit < 1 || from < 0 {
			return usage("--limit has to be at least 1, and --from a block's number")
		}
		b, err := a.loggedAt(replica)
		if err != nil {
			return err
		}
		blocks, err := b.LogList(c.Context(), replica, from, limit)
		if err != nil {
			return err
		}
		if asJSON {
			return printJSON(a.out, blocks)
		}
		table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "SEQ\tEPOCH\tCOMMITTED\tXID\tLSN\tBYTES\tSTORED\tPARTS\tMODEL\tCHECKSUM")
		for _, i := range blocks {
			fmt.Fprintf(table, "%d\t%d\t%s\t%d\t%s\t%d\t%d\t%d\t%.8s\t%.16s\n", i.Seq, i.Epoch,
				i.CommitTime.Local().Format("2006-01-02 15:04:05.000000"), i.XID, i.LSN, i.Bytes, i.StoredBytes, i.Parts, i.Model, i.Checksum)
		}
		return table.Flush()
	}
	return c
}

func (a *app) logShowCommand() *cobra.Command {
	var replica string
	c := &cobra.Command{
		Use:   "show SEQ -c FILE [--replica NAME]",
		Short: "Print a block as JSON: header and changes",
		Long: "Prints a block as JSON: its header, and its changes with tables and columns by name. Values are in\n" +
			"PostgreSQL's text form; what is no text comes as {\"base64\": …}.",
		Example: "  bridge log show 42 -c bridge.yaml | jq '.changes[0]'",
	}
	var seq int64
	c.Args = func(c *cobra.Command, args []string) (err error) {
		if len(args) != 1 {
			return usage("%s takes one argument, the block's number", c.CommandPath())
		}
		if seq, err = strconv.ParseInt(args[0], 10, 64); err != nil || seq < 1 {
			return usage("%q is not a block's number", args[0])
		}
		return nil
	}
	replicaLog(c, &replica)
	c.RunE = func(c *cobra.Command, args []string) error {
		b, err := a.loggedAt(replica)
		if err != nil {
			return err
		}
		return b.LogShow(c.Context(), replica, seq, a.out)
	}
	return c
}

func (a *app) logVerifyCommand() *cobra.Command {
	var replica string
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify -c FILE [--replica NAME] [--json]",
		Short: "Check every checksum and the chain",
		Long: "Reads the whole log and checks the checksum of every block, the chain, gaps, parts and models; of a replica\n" +
			"also that its log is the master's. Every corrupt block is a line. Exit status 3 when there is one.",
		Example: "  bridge log verify -c bridge.yaml\n" +
			"  bridge log verify -c bridge.yaml --replica eu",
		Args: noArgs,
	}
	replicaLog(c, &replica)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		b, err := a.loggedAt(replica)
		if err != nil {
			return err
		}
		d := a.display()
		defer d.end()
		var lines pace
		corrupt := []pgbridge.CorruptBlock{}
		r, err := b.LogVerify(c.Context(), replica, pgbridge.VerifyOptions{
			Found: func(block pgbridge.CorruptBlock) {
				if asJSON {
					corrupt = append(corrupt, block)
					return
				}
				d.hide()
				fmt.Fprintln(a.out, oneLine(block.String()))
			},
			Progress: func(blocks, total int64) {
				d.show("verify", "", "blocks", blocks, total)
				if !d.tty && lines.due("") {
					b.Log.Info("verify", "blocks", blocks, "of", total)
				}
			},
		})
		d.end()
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(a.out, struct {
				*pgbridge.VerifyReport
				Found []pgbridge.CorruptBlock `json:"found"`
			}{r, corrupt})
		} else {
			err = a.printVerify(r)
		}
		if err == nil && r.Corrupt > 0 {
			err = errFound
		}
		return err
	}
	return c
}

func (a *app) printVerify(r *pgbridge.VerifyReport) error {
	for _, note := range r.Notes {
		fmt.Fprintf(a.out, "note: %s\n", oneLine(note))
	}
	verdict := "all good"
	if r.Corrupt > 0 {
		verdict = grouped(r.Corrupt) + " corrupt"
	}
	if r.To == 0 {
		_, err := fmt.Fprintf(a.out, "the log holds no blocks: %s\n", verdict)
		return err
	}
	_, err := fmt.Fprintf(a.out, "%s (%d to %d, %s) verified: %s\n", count(r.Blocks, "block"), r.From, r.To, size(r.Bytes), verdict)
	return err
}
