// Command bench compares the bridge with PostgreSQL's own logical replication, and with pglogical where it is installed,
// on this machine, in the same run, round by round. What counts are ratios: the bridge's value by native replication's;
// only they carry over to other machines.
//
//	go run ./bench [-only log,lag] [-rounds 3] [-scale 0.01] [-write docs/benchmarks.md]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/pgserver"
)

// options are what the command line says.
type options struct {
	only   []string // names of comparisons; empty: all
	rounds int
	scale  float64
	write  string // the document; empty: none
	force  bool   // a partial run may take the place of a full one
}

// fullRounds is how many rounds a full run has.
const fullRounds = 3

// full says whether a run with these options is a complete one.
func (o *options) full() bool { return len(o.only) == 0 && o.scale == 1 && o.rounds >= fullRounds }

func main() {
	var o options
	only := flag.String("only", "", "comma-separated names of comparisons ("+strings.Join(names(), ", ")+"); empty: all")
	flag.IntVar(&o.rounds, "rounds", fullRounds, "rounds of each comparison")
	flag.Float64Var(&o.scale, "scale", 1, "factor of all sizes and durations; 0.01 for a first look")
	flag.StringVar(&o.write, "write", "", "write the results to this Markdown `file`, and the pictures beside it")
	flag.BoolVar(&o.force, "force", false, "let a scaled or partial run overwrite the results of a full one")
	flag.Parse()
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run makes the comparisons, prints the document, and writes it where it was asked for.
func run(ctx context.Context, o *options) error {
	if err := o.validate(); err != nil {
		return err
	}
	if err := mayWrite(o); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := &bench{binary: filepath.Join(dir, "bridge"), scale: o.scale, progress: os.Stderr}
	if err := build(ctx, b.binary, "-trimpath", "-ldflags", "-s -w"); err != nil {
		return err
	}
	if err := b.find(ctx); err != nil {
		return err
	}
	r := &report{options: o, machine: describe(ctx, b), began: time.Now()}
	for _, c := range comparisons {
		if len(o.only) > 0 && !slices.Contains(o.only, c.name) {
			continue
		}
		r.outcomes = append(r.outcomes, b.compare(ctx, c, o.rounds))
		if ctx.Err() != nil {
			break // what there is is worth hours
		}
	}
	r.took = time.Since(r.began)
	fmt.Print(r.markdown())
	errs := []error{r.failures()}
	if o.write != "" {
		errs = append(errs, r.write())
	}
	return errors.Join(errs...)
}

func (o *options) validate() error {
	var errs []error
	for _, name := range o.only {
		if !slices.Contains(names(), name) {
			errs = append(errs, fmt.Errorf("-only: no comparison is named %q; there are %s", name, strings.Join(names(), ", ")))
		}
	}
	if o.rounds < 1 {
		errs = append(errs, fmt.Errorf("-rounds: %d is too few", o.rounds))
	}
	if !(o.scale > 0) {
		errs = append(errs, fmt.Errorf("-scale: %g is not above 0", o.scale))
	}
	return errors.Join(errs...)
}

// find looks for what the bridge is compared with.
func (b *bench) find(ctx context.Context) (err error) {
	if b.install, err = pgserver.Find(0); err != nil {
		return err
	}
	b.pglogical, err = b.hasPglogical(ctx)
	return err
}

// hasPglogical gives the version of the extension that this PostgreSQL has, empty when it has none.
func (b *bench) hasPglogical(ctx context.Context) (version string, err error) {
	s, err := pgserver.Start(ctx, pgserver.Options{Install: b.install})
	if err != nil {
		return "", err
	}
	defer s.Close()
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = conn.QueryRow(ctx, "select coalesce(max(default_version), '') from pg_available_extensions where name = 'pglogical'").Scan(&version)
	return version, err
}
