package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/pgbridge/pgbridge/pgserver"
)

// bench is what the comparisons share.
type bench struct {
	install   pgserver.Install
	binary    string // the bridge
	pglogical string // its version; empty: it is not there
	scale     float64
	progress  io.Writer
}

// scaled is a size of the full benchmark in this run.
func (b *bench) scaled(n int) int { return max(1, int(math.Round(float64(n)*b.scale))) }

func (b *bench) duration(d time.Duration) time.Duration {
	return max(time.Second, time.Duration(float64(d)*b.scale))
}

// comparison is one kind of work. Every contender does it in every round, each on servers of its own.
type comparison struct {
	name string
	// contenders: the bridge, what it is compared with, and others who are.
	contenders []*contender
	figures    []figure
	// run has one contender do the work once. Its values are those of the figures, in their order; a contender that
	// can not have the last ones leaves them out. Master and replicas are compared row for row before it returns.
	run func(context.Context, *bench, *contender) (sample, error)
}

// figure is something that is measured.
type figure struct {
	what   string
	unit   string
	goal   float64 // of the ratio; 0: none
	larger bool    // larger is better
	alone  bool    // the goal is one of the bridge's own value, not of a ratio
}

// sample is what one contender came to in one round.
type sample struct {
	values  []float64
	against []float64 // what the bridge's values are compared with, where it is no other contender
	memory  int64     // of the bridge, at most, in bytes
	traces  [][]probe // how the lag was, at each pace
}

func (s *sample) add(values ...float64) { s.values = append(s.values, values...) }

// finish notes what the system needed, and compares the tables on all servers.
func (w *world) finish(ctx context.Context, s *sample, tables ...string) error {
	s.memory = max(s.memory, w.system.memory())
	return w.equal(ctx, tables...)
}

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// comparisons are all there are, in their order.
var comparisons = []*comparison{
	{"log", []*contender{theBridge, native, pglogical}, []figure{
		{what: "a replica that was down catches up on 100,000 TPC-B transactions; they are in the sync table", unit: "s", goal: 0.45},
		{what: "two replicas, to two subscriptions", unit: "s"},
		{what: "four replicas, to four subscriptions", unit: "s", goal: 0.30},
		{what: "processor time of the master's server for each further replica that catches up", unit: "s"},
	}, catchUp},
	{"slot", []*contender{wholeBridge, native}, []figure{
		{what: "the same from the slot's backlog: all of the bridge was down", unit: "s", goal: 0.75},
	}, catchUpSlot},
	{"hot", []*contender{theBridge, native}, []figure{
		{what: "a replica that was down catches up on 1,000,000 single-row updates of 1,000 rows, 10 in a transaction", unit: "s", goal: 0.15},
	}, hotRows},
	{"keyless", []*contender{theBridge, native}, []figure{
		{what: "the same with 200,000 updates, then deletes, in a table of 1,000,000 rows without a key (native does a sample, see below)", unit: "s", goal: 0.1},
	}, keyless},
	{"big", []*contender{theBridge, native, streaming}, []figure{
		{what: "one transaction inserts 5,000,000 rows: from its commit until they are visible", unit: "s", goal: 0.5},
		{what: "the bridge's resident memory meanwhile", unit: "MiB", goal: 256, alone: true},
	}, bigTransaction},
	{"copy5", []*contender{theBridge, native}, []figure{
		{what: "initial copy of 5,000,000 rows", unit: "s"},
	}, initialCopy(5_000_000)},
	{"copy", []*contender{theBridge, native}, []figure{
		{what: "initial copy of 10,000,000 rows", unit: "s", goal: 0.8},
	}, initialCopy(10_000_000)},
	{"lag", []*contender{theBridge, native, pglogical}, []figure{
		{what: "lag, from the acknowledged commit until it is visible: idle, p50", unit: "ms", goal: 3},
		{what: "idle, p99", unit: "ms"},
		{what: "at 500 tps, p50", unit: "ms", goal: 3},
		{what: "at 500 tps, p99", unit: "ms"},
		{what: "at 2,000 tps, p50", unit: "ms"},
		{what: "at 2,000 tps, p99", unit: "ms", goal: 1},
	}, lags},
	{"master", []*contender{theBridge, native, pglogical}, []figure{
		{what: "the master's TPC-B throughput with one replica attached (larger is better)", unit: "tps", goal: 0.95, larger: true},
		{what: "processor time of the master's server for each further replica, over 60,000 transactions", unit: "s", goal: 0.1},
	}, attached},
	{"ddl", []*contender{theBridge, alone}, []figure{
		{what: "200 changes of the schema among 2,000 tables on the master: with the bridge's event triggers, to a master alone", unit: "s"},
	}, schemaChanges},
	{"evolve", []*contender{theBridge}, []figure{
		{what: "a replica that was down follows the same changes, to the time that the master took for them", unit: "s"},
	}, evolving},
}

func names() (list []string) {
	for _, c := range comparisons {
		list = append(list, c.name)
	}
	return list
}

// outcome is a comparison with the samples of all rounds.
type outcome struct {
	*comparison
	samples map[*contender][]sample
	missing []*contender // who could not be had
	err     error        // the comparison was not finished
}

// patience is how long one contender may take in one round.
const patience = 10 * time.Minute

// compare runs the rounds. Who goes first takes turns.
func (b *bench) compare(ctx context.Context, c *comparison, rounds int) *outcome {
	o := &outcome{comparison: c, samples: map[*contender][]sample{}}
	present := slices.Clone(c.contenders)
	if b.pglogical == "" && slices.Contains(present, pglogical) {
		present = slices.DeleteFunc(present, func(c *contender) bool { return c == pglogical })
		o.missing = append(o.missing, pglogical)
	}
	for round := range rounds {
		for i := range present {
			contender := present[(i+round)%len(present)]
			s, err := b.runOne(ctx, c, contender)
			if err != nil {
				o.err = fmt.Errorf("%s, round %d, %s: %w", c.name, round+1, contender.name, err)
				fmt.Fprintf(b.progress, "%v\n", o.err)
				return o
			}
			fmt.Fprintf(b.progress, "%-8s round %d  %-18s", c.name, round+1, contender.name)
			for i, v := range s.values {
				fmt.Fprintf(b.progress, "  %s", c.figures[i].text(v))
			}
			fmt.Fprintln(b.progress)
			o.samples[contender] = append(o.samples[contender], s)
		}
	}
	return o
}

func (b *bench) runOne(ctx context.Context, c *comparison, by *contender) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.run(ctx, b, by)
}

// values are a contender's values of one figure, round by round.
func (o *outcome) values(by *contender, figure int) (list []float64) {
	for _, s := range o.samples[by] {
		if figure < len(s.values) {
			list = append(list, s.values[figure])
		}
	}
	return list
}

// reference is what the bridge is compared with.
func (o *outcome) reference(figure int) (name string, list []float64) {
	if len(o.contenders) > 1 {
		return o.contenders[1].name, o.values(o.contenders[1], figure)
	}
	for _, s := range o.samples[o.contenders[0]] {
		list = append(list, s.against[figure])
	}
	return "master", list
}

// ratios are a contender's values by the reference's, of the same rounds.
func (o *outcome) ratios(by *contender, figure int) (list []float64) {
	_, reference := o.reference(figure)
	for i, v := range o.values(by, figure) {
		if i < len(reference) {
			list = append(list, v/reference[i])
		}
	}
	return list
}

// memory is the most that the bridge needed in any round, in bytes.
func (o *outcome) memory() (most int64) {
	for _, s := range o.samples[o.contenders[0]] {
		most = max(most, s.memory)
	}
	return most
}

// summary is what is told of several rounds.
type summary struct{ min, median, max float64 }

func summarize(values []float64) summary {
	if len(values) == 0 {
		return summary{math.NaN(), math.NaN(), math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return summary{sorted[0], (sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[n-1]}
}

// met says whether the median meets the goal.
func (f *figure) met(s summary) bool {
	if f.larger {
		return s.median >= f.goal
	}
	return s.median <= f.goal
}
