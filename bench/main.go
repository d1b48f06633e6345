// Command bench compares the bridge with PostgreSQL's own logical replication, on
// this machine, in the same run, side by side. What it prints are ratios: the
// bridge's time by native replication's; smaller is better, and only that carries
// over to other machines.
//
//	go run ./bench [-rounds 3] [-only catchup,copy]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"

	"github.com/pgbridge/pgbridge/pgserver"
)

// comparison is one kind of work, measured for both.
type comparison struct {
	name string
	what string
	run  func(ctx context.Context, b *bench) (ours, native time.Duration, err error)
}

func main() {
	rounds := flag.Int("rounds", 3, "rounds of each comparison")
	only := flag.String("only", "", "comma-separated names of comparisons; empty: all")
	var b bench
	flag.IntVar(&b.transactions, "transactions", 100_000, "TPC-B transactions to catch up on")
	flag.IntVar(&b.rows, "rows", 5_000_000, "rows of the initial copy")
	profile := flag.String("cpuprofile", "", "write a CPU profile of the bridge's side (with everything that runs in this process)")
	flag.Parse()
	if *profile != "" {
		stop, err := startProfile(*profile)
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		defer stop()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, &b, *rounds, *only); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// startProfile begins a CPU profile; stop ends it.
func startProfile(path string) (stop func(), err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("create the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("start the profile: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}

func run(ctx context.Context, b *bench, rounds int, only string) (err error) {
	if b.install, err = pgserver.Find(0); err != nil {
		return err
	}
	fmt.Printf("PostgreSQL %s, %d CPUs, %s, Go %s\n", b.install.Version, runtime.NumCPU(), runtime.GOARCH, runtime.Version())
	fmt.Printf("%-10s %6s %12s %12s %8s\n", "work", "round", "bridge", "native", "ratio")
	type result struct {
		name, what string
		ratios     []float64
	}
	var results []result
	for _, c := range comparisons {
		if only != "" && !slices.Contains(strings.Split(only, ","), c.name) {
			continue
		}
		r := result{name: c.name, what: c.what}
		for round := range rounds {
			b.bridgeFirst = round%2 == 0
			ours, native, err := c.run(ctx, b)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			ratio := ours.Seconds() / native.Seconds()
			fmt.Printf("%-10s %6d %12s %12s %8.2f\n", c.name, round+1, ours.Round(time.Millisecond), native.Round(time.Millisecond), ratio)
			r.ratios = append(r.ratios, ratio)
		}
		results = append(results, r)
	}
	fmt.Printf("\n%-10s %8s %8s %8s   %s\n", "ratio", "min", "median", "max", "what")
	for _, r := range results {
		slices.Sort(r.ratios)
		fmt.Printf("%-10s %8.2f %8.2f %8.2f   %s\n", r.name, r.ratios[0], r.ratios[len(r.ratios)/2], r.ratios[len(r.ratios)-1], r.what)
	}
	return nil
}
