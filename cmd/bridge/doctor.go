package main

import (
	"context"
	"fmt"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/master"
)

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor -c FILE [--json]",
		Short: "Check every precondition and say how to meet it; changes nothing",
		Long: "Checks on the master and on every replica whether init and run can do their work, and, once they have,\n" +
			"whether all is as they left it. It changes nothing. Exit status 3 when something is an error.",
		Example: "  bridge doctor -c bridge.yaml",
		Args:    noArgs,
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.RunE = func(c *cobra.Command, _ []string) error {
		b, err := a.bridge(a.err)
		if err != nil {
			return err
		}
		servers := examine(c.Context(), b)
		if err := c.Context().Err(); err != nil {
			return context.Cause(c.Context())
		}
		if asJSON {
			err = printJSON(a.out, map[string]any{"servers": servers})
		} else {
			err = a.printDoctor(servers)
		}
		if err == nil && worst(servers) == master.Error {
			err = errFound
		}
		return err
	}
	return c
}

// examined is a server with what was found there.
type examined struct {
	Server   string           `json:"server"`
	Findings []master.Finding `json:"findings"`
}

const doctorTimeout = 2 * time.Minute

// examine asks all servers at the same time.
func examine(ctx context.Context, b *pgbridge.Bridge) []examined {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	list := []examined{{Server: "master"}}
	for _, r := range b.Config.Replicas {
		list = append(list, examined{Server: r.Name})
	}
	var all sync.WaitGroup
	for i := range list {
		all.Go(func() {
			replica, ask := list[i].Server, master.DoctorReplica
			if i == 0 {
				replica = ""
				ask = func(ctx context.Context, conn *pgx.Conn) ([]master.Finding, error) {
					return master.Doctor(ctx, conn, masterOptions(b))
				}
			}
			list[i].Findings = examineOne(ctx, b, replica, ask)
		})
	}
	all.Wait()
	return list
}

func examineOne(ctx context.Context, b *pgbridge.Bridge, replica string, ask func(context.Context, *pgx.Conn) ([]master.Finding, error)) []master.Finding {
	failed := func(check string, err error) master.Finding {
		return master.Finding{Severity: master.Error, Check: check, Detail: err.Error(),
			Remedy: "check that the server runs and that its URL in the configuration is right"}
	}
	connecting, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	conn, err := b.Connect(connecting, replica)
	if err != nil {
		return []master.Finding{failed("connection", err)}
	}
	defer conn.Close(context.WithoutCancel(ctx))
	findings, err := ask(ctx, conn)
	if err != nil {
		findings = append(findings, failed("examination", err))
	}
	return findings
}

func worst(servers []examined) master.Severity {
	worst := master.OK
	for _, s := range servers {
		for _, f := range s.Findings {
			if f.Severity == master.Error || f.Severity == master.Warning && worst == master.OK {
				worst = f.Severity
			}
		}
	}
	return worst
}

func (a *app) printDoctor(servers []examined) error {
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SERVER\tRESULT\tCHECK\tDETAIL")
	number := map[master.Severity]int64{}
	for _, s := range servers {
		for _, f := range s.Findings {
			number[f.Severity]++
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.Server, f.Severity, f.Check, oneLine(f.Detail))
			if f.Remedy != "" {
				fmt.Fprintf(table, "\t\t\t→ %s\n", oneLine(f.Remedy))
			}
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.out, "\n%s, %s\n", count(number[master.Error], "error"), count(number[master.Warning], "warning"))
	return err
}
