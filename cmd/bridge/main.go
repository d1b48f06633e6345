// Command bridge replicates a PostgreSQL master through commit blocks: bridge help says how.
//
// Standard output is for answers, everything else goes to standard error. Exit status: 0 done, 1 failed, 2 wrong
// usage or configuration, 3 check, verify or doctor found something.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/config"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends us at once
	a := &app{out: os.Stdout, err: os.Stderr}
	os.Exit(a.run(ctx, os.Args[1:]))
}

// Exit status.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
	exitFound  = 3
)

// app is one call of the program.
type app struct {
	out, err io.Writer

	configPath string
	logLevel   string
}

// usageError is an error of whoever typed the command.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errFound ends a command that did its work and found something. It has been said on standard output.
var errFound = errors.New("something was found")

// run runs a command and returns the exit status.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errFound) {
		return exitFound
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintf(a.err, "bridge: %v\n", context.Cause(ctx))
		return exitFailed
	}
	fmt.Fprintf(a.err, "bridge: %v\n", err)
	if _, ok := errors.AsType[usageError](err); ok {
		fmt.Fprintf(a.err, "%s --help says more\n", command.CommandPath())
		return exitUsage
	}
	if _, ok := errors.AsType[*config.Error](err); ok {
		return exitUsage
	}
	return exitFailed
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "bridge",
		Short: "Replicates a PostgreSQL master through commit blocks",
		Long: "bridge replicates a PostgreSQL master (14 to 18) to replicas through commit blocks: each committed\n" +
			"transaction is one block, numbered, checksummed and chained, and each replica applies it exactly once.",
		Example: "  bridge doctor -c bridge.yaml    what has to be done first\n" +
			"  bridge init -c bridge.yaml      prepare the master\n" +
			"  bridge run -c bridge.yaml       replicate; new replicas are copied\n" +
			"  bridge status -c bridge.yaml    where everything stands",
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          group,
		Args:          cobra.ArbitraryArgs,
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	flags := root.PersistentFlags()
	flags.SortFlags = false
	flags.StringVarP(&a.configPath, "config", "c", "", "configuration `FILE`; default $BRIDGE_CONFIG, or only the environment")
	flags.StringVar(&a.logLevel, "log-level", "info", "what is logged: debug, info, warn or error")
	root.AddCommand(
		a.demoCommand(), a.initCommand(), a.runCommand(), a.statusCommand(), a.waitCommand(), a.checkCommand(), a.logCommand(), a.schemaCommand(),
		a.doctorCommand(), a.repairCommand(), a.dropCommand(), a.versionCommand(),
	)
	return root
}

// group runs a command that only has others beneath it.
func group(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		fmt.Fprintf(c.ErrOrStderr(), "%s\n\n%s\n", c.Long, c.UsageString())
		return usage("a command is missing")
	}
	c.SuggestionsMinimumDistance = 2
	var near string
	if similar := c.SuggestionsFor(args[0]); len(similar) > 0 {
		near = fmt.Sprintf("; is it %s?", strings.Join(similar, " or "))
	}
	return usage("unknown command %q for %s%s", args[0], c.CommandPath(), near)
}

// noArgs refuses arguments.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usage("%s takes no argument, got %q", c.CommandPath(), args[0])
	}
	return nil
}

// bridge loads the configuration. It logs to w.
func (a *app) bridge(w io.Writer) (*pgbridge.Bridge, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return nil, usage("--log-level %q: want debug, info, warn or error", a.logLevel)
	}
	path := a.configPath
	if path == "" {
		path = os.Getenv("BRIDGE_CONFIG")
	}
	c, err := config.Load(path)
	if err != nil {
		if path == "" {
			return nil, fmt.Errorf("%w\nname a file with -c, or set the environment", err)
		}
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(w, options)
	if isTerminal(a.err) {
		handler = slog.NewTextHandler(w, options)
	}
	return pgbridge.New(c, slog.New(handler)), nil
}

// knownReplicas checks names that were asked for with --replica or --role.
func knownReplicas(b *pgbridge.Bridge, names ...string) error {
	for _, name := range names {
		if slices.ContainsFunc(b.Config.Replicas, func(r config.Replica) bool { return r.Name == name }) {
			continue
		}
		var known []string
		for _, r := range b.Config.Replicas {
			known = append(known, r.Name)
		}
		if len(known) == 0 {
			return usage("no replica is named %q: the configuration has no replicas", name)
		}
		return usage("no replica is named %q: the configuration has %s", name, strings.Join(known, ", "))
	}
	return nil
}

// isTerminal says whether w is one.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
