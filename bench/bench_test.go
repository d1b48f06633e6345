package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgbridge/pgbridge/pgserver"
)

// The benchmark itself, as small as it gets, so that its code keeps working. Nothing is said of times.
func TestBenchWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts servers")
	}
	dir := t.TempDir()
	b := &bench{binary: filepath.Join(dir, "bridge"), scale: 0.001, progress: t.Output()}
	if err := build(t.Context(), b.binary); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.install, err = pgserver.Find(0); err != nil {
		t.Fatal(err)
	}
	r := &report{
		options: &options{only: []string{"hot"}, rounds: 1, scale: b.scale, write: filepath.Join(dir, "docs", "benchmarks.md")},
		machine: describe(t.Context(), b),
	}
	for _, c := range comparisons {
		if c.name == "hot" {
			r.outcomes = append(r.outcomes, b.compare(t.Context(), c, 1))
		}
	}
	if err := r.failures(); err != nil {
		t.Fatal(err)
	}
	if err := r.write(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.options.write)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"This is no full run:** only hot; all sizes and durations times 0.001; 1 of 3 rounds", "| hot | a replica that was down", "| ≤ 0.15 |", " MiB |"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the document lacks %q:\n%s", want, text)
		}
	}
}

// invented is the outcome of a comparison that nobody made.
func invented(c *comparison, ours, theirs float64) *outcome {
	o := &outcome{comparison: c, samples: map[*contender][]sample{}}
	for round := range fullRounds {
		for i, by := range c.contenders {
			s := sample{against: []float64{theirs}}
			for range c.figures {
				v := ours * float64(round+1)
				if i > 0 {
					v = theirs
				}
				s.add(v)
			}
			for range paces {
				s.traces = append(s.traces, []probe{{at: time.Second, lag: time.Millisecond}, {at: 2 * time.Second, lag: 3 * time.Millisecond}})
			}
			o.samples[by] = append(o.samples[by], s)
		}
	}
	return o
}

func inventedReport(write string) *report {
	r := &report{options: &options{rounds: fullRounds, scale: 1, write: write}, machine: []string{"a machine"}}
	for _, c := range comparisons {
		r.outcomes = append(r.outcomes, invented(c, 1, 10))
	}
	return r
}

func TestRatiosAreOfTheSameRound(t *testing.T) {
	o := invented(comparisons[0], 1, 10)
	if got, want := summarize(o.ratios(theBridge, 0)), (summary{0.1, 0.2, 0.3}); math.Abs(got.min-want.min)+math.Abs(got.median-want.median)+math.Abs(got.max-want.max) > 1e-9 {
		t.Errorf("ratios %v, want %v", got, want)
	}
	if got := o.figures[0].met(summary{median: 0.46}); got {
		t.Error("0.46 meets a goal of 0.45")
	}
	larger := figure{goal: 0.95, larger: true}
	if larger.met(summary{median: 0.94}) || !larger.met(summary{median: 0.95}) {
		t.Error("a goal of 0.95, larger is better, is not met from 0.95 on")
	}
}

func TestLesserRunsDoNotReplaceFullOnes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := inventedReport(path).write(); err != nil {
		t.Fatal(err)
	}
	full, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []options{
		{write: path, rounds: fullRounds, scale: 0.5},
		{write: path, rounds: 1, scale: 1},
		{write: path, rounds: fullRounds, scale: 1, only: []string{"log"}},
	} {
		if err := mayWrite(&o); err == nil {
			t.Errorf("%+v may overwrite the results of a full run", o)
		}
		o.force = true
		if err := mayWrite(&o); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
	failed := inventedReport(path)
	failed.outcomes[1].err = errors.New("it fell over")
	if err := failed.write(); err == nil {
		t.Error("a run in which a comparison failed overwrites the results of a full one")
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(full) {
		t.Errorf("the document has changed (%v):\n%s", err, now)
	}
}

func TestPicturesAreXML(t *testing.T) {
	pictures := inventedReport("").pictures()
	if len(pictures) != len(pictureNames) {
		t.Fatalf("%d pictures, want %d", len(pictures), len(pictureNames))
	}
	for name, p := range pictures {
		d := xml.NewDecoder(strings.NewReader(p.svg()))
		for {
			_, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if strings.Contains(p.svg(), "NaN") || strings.Contains(p.svg(), "Inf") {
			t.Errorf("%s has a place that is no number", name)
		}
	}
}

func TestTicksHoldEverything(t *testing.T) {
	for _, high := range []float64{0.03, 0.7, 1, 4.1, 15.9, 99, 100, 1234} {
		ticks := linearTicks(high)
		if ticks[0] != 0 || ticks[len(ticks)-1] < high || len(ticks) < 3 || len(ticks) > 8 {
			t.Errorf("to %g: %v", high, ticks)
		}
	}
}

func TestNumbersReadWell(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.4567: "0.457", 3.5: "3.5", 12.345: "12.3", 1000: "1,000", 4876.2: "4,880", -1234567: "-1,230,000"} {
		if got := number(v); got != want {
			t.Errorf("%g is written %q, want %q", v, got, want)
		}
	}
}

func TestQuantile(t *testing.T) {
	values := []float64{4, 1, 3, 2}
	if got := quantile(values, 0.5); got != 3 {
		t.Errorf("p50 %g, want 3", got)
	}
	if got := quantile(values, 0.99); got != 4 {
		t.Errorf("p99 %g, want 4", got)
	}
}
