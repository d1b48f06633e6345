package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/pgbridge/pgbridge/demo"
)

func (a *app) demoCommand() *cobra.Command {
	o := demo.Options{Out: a.out, Program: os.Args[0]}
	c := &cobra.Command{
		Use:   "demo [--replicas N] [--dir DIR] [--duration D]",
		Short: "Show a whole system at work on this machine, from nothing",
		Long: "Starts PostgreSQL servers of its own, a master and replicas, loads a small shop, runs bridge and a workload,\n" +
			"kills a replica and stops the bridge in the middle, and proves at the end that all servers hold the same data.\n" +
			"It ends by itself, or with Ctrl-C; a second Ctrl-C ends it without the proof. Nothing is left, but DIR with --dir.",
		Example: "  bridge demo\n" +
			"  bridge demo --replicas 4 --duration 5m\n" +
			"  bridge demo --dir /tmp/shop    keeps the data; again, it goes on with it",
		Args: noArgs,
	}
	c.Flags().IntVar(&o.Replicas, "replicas", demo.DefaultReplicas, "how many replicas, 1 to 8")
	c.Flags().StringVar(&o.Dir, "dir", "", "`DIR` for the servers, where the data stays; default a temporary one")
	c.Flags().DurationVar(&o.Duration, "duration", demo.DefaultDuration, "how long the workload runs")
	c.RunE = func(c *cobra.Command, _ []string) error {
		flags := c.Flags()
		switch {
		case a.configPath != "":
			return usage("bridge demo takes no configuration: it makes its own")
		case flags.Changed("dir") && o.Dir == "":
			return usage("--dir is empty")
		case o.Replicas < 1 || o.Replicas > demo.MaxReplicas:
			return usage("--replicas %d: want 1 to %d", o.Replicas, demo.MaxReplicas)
		case o.Duration <= 0:
			return usage("--duration %s: want more than 0", o.Duration)
		}
		if !flags.Changed("replicas") {
			o.Replicas = 0 // as many as DIR has
		}
		if f, ok := a.out.(*os.File); ok && isTerminal(f) && os.Getenv("TERM") != "dumb" {
			o.Size = func() (width, height int) {
				width, height, err := term.GetSize(int(f.Fd()))
				if err != nil || width <= 0 || height <= 0 {
					return 80, 24
				}
				return width, height
			}
			o.Color = os.Getenv("NO_COLOR") == ""
		}
		o.Finish = c.Context().Done()
		ctx, stop := abortable()
		defer stop()
		err := demo.Run(ctx, o)
		if _, ok := errors.AsType[*demo.OptionError](err); ok {
			return usageError{err}
		}
		if c.Context().Err() != nil && err != nil && !errors.Is(err, demo.ErrInterrupted) {
			fmt.Fprintf(a.err, "bridge: %v\n", err) // for an ended context, only its end is told
		}
		return err
	}
	return c
}

// abortable is a context that ends with the second SIGINT or SIGTERM, the first of which ends the command's own, and
// when the terminal goes away: the demo then still cleans up behind itself. A third signal kills it. Until stop, a
// pipe that nobody reads makes the write fail, instead of ending the process.
func abortable() (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals, pipes, done := make(chan os.Signal, 4), make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	signal.Notify(pipes, syscall.SIGPIPE)
	go func() {
		asked := false
		for {
			select {
			case <-done:
				return
			case s := <-signals:
				if s != syscall.SIGHUP && !asked {
					asked = true
					continue
				}
				signal.Reset(os.Interrupt, syscall.SIGTERM)
				cancel(errors.New("broken off: " + s.String()))
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		signal.Stop(pipes)
		close(done)
		cancel(nil)
	}
}
