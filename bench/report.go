package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report is a run with all its outcomes.
type report struct {
	*options
	machine  []string
	began    time.Time
	took     time.Duration
	outcomes []*outcome
}

// complete marks the document of a full run, so that a lesser one does not take its place.
const complete = "<!-- a full run -->"

// mayWrite refuses to replace the results of a full run by lesser ones.
func mayWrite(o *options) error {
	if o.write == "" || o.force || o.full() {
		return nil
	}
	text, err := os.ReadFile(o.write)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if strings.Contains(string(text), complete) {
		return fmt.Errorf("%s has the results of a full run; this one is scaled or partial and takes its place only with -force", o.write)
	}
	return nil
}

// failures are the comparisons that were not finished.
func (r *report) failures() error {
	var errs []error
	for _, o := range r.outcomes {
		errs = append(errs, o.err)
	}
	return errors.Join(errs...)
}

// whole says whether the document is that of a full run in which nothing failed.
func (r *report) whole() bool { return r.full() && r.failures() == nil }

// write puts the document and its pictures into place.
func (r *report) write() error {
	if !r.whole() && !r.force {
		// It may have begun as a full run.
		if err := mayWrite(&options{write: r.options.write}); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(r.options.write), 0o755); err != nil {
		return err
	}
	for name, p := range r.pictures() {
		if err := os.WriteFile(r.beside(name), []byte(p.svg()), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(r.options.write, []byte(r.markdown()), 0o644)
}

func (r *report) beside(name string) string {
	return filepath.Join(filepath.Dir(r.options.write), name)
}

// markdown is the document.
func (r *report) markdown() string {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\n")
	if r.whole() {
		b.WriteString(complete + "\n")
	} else {
		fmt.Fprintf(&b, "**This is no full run:** %s. Its figures say that the benchmark works, and little else.\n\n", r.lacks())
	}
	fmt.Fprintf(&b, "Printed by `make bench` on %s, in %s. Ratios are the bridge's value by native replication's, in the same round;\n"+
		"they carry over to other machines, seconds do not. Smaller is better unless it says otherwise. A goal is met when the median of the rounds meets it.\n\n",
		r.began.UTC().Format("2006-01-02 15:04 UTC"), r.took.Round(time.Second))
	for _, line := range r.machine {
		fmt.Fprintf(&b, "* %s\n", line)
	}
	fmt.Fprintf(&b, "* rounds: %d; in each, every contender does the work on fresh servers of its own, and who goes first takes turns\n\n", r.rounds)
	b.WriteString("| `-only` | what | bridge | against | min | **median** | max | goal | met | others' ratios | bridge's memory |\n")
	b.WriteString("|---|---|--:|--:|--:|--:|--:|--:|---|---|--:|\n")
	for _, o := range r.outcomes {
		o.rows(&b)
	}
	b.WriteString(notes)
	pictures := r.pictures()
	for _, name := range pictureNames {
		if p, ok := pictures[name]; ok {
			fmt.Fprintf(&b, "\n![%s](%s)\n", p.title, name)
		}
	}
	return b.String()
}

// lacks says what makes this run less than a full one.
func (r *report) lacks() string {
	var list []string
	if len(r.only) > 0 {
		list = append(list, "only "+strings.Join(r.only, ", "))
	}
	if r.scale != 1 {
		list = append(list, fmt.Sprintf("all sizes and durations times %g", r.scale))
	}
	if r.rounds < fullRounds {
		list = append(list, fmt.Sprintf("%d of %d rounds", r.rounds, fullRounds))
	}
	if r.failures() != nil {
		list = append(list, "not all comparisons were finished")
	}
	return strings.Join(list, "; ")
}

// rows are those of the table, one for each figure.
func (o *outcome) rows(b *strings.Builder) {
	if o.err != nil {
		fmt.Fprintf(b, "| %s | not finished: %s | | | | | | | | | |\n", o.name, oneLine(o.err))
		return
	}
	ours := o.contenders[0]
	for i, f := range o.figures {
		reference, against := o.reference(i)
		values := summarize(o.values(ours, i))
		told := summarize(o.ratios(ours, i))
		format := ratio
		right := fmt.Sprintf("%s %s", reference, f.text(summarize(against).median))
		if f.alone {
			told, format, right = values, number, ""
		}
		goal, met := "", ""
		if f.goal != 0 {
			sign := "≤"
			if f.larger {
				sign = "≥"
			}
			goal, met = fmt.Sprintf("%s %s", sign, number(f.goal)), "no"
			if f.alone {
				goal += " " + f.unit
			}
			if f.met(told) {
				met = "yes"
			}
		}
		memory := ""
		if i == 0 && o.memory() > 0 {
			memory = fmt.Sprintf("%.0f MiB", mebibytes(o.memory()))
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | **%s** | %s | %s | %s | %s | %s |\n", o.name, f.what,
			f.text(values.median), right, format(told.min), format(told.median), format(told.max), goal, met, o.others(i), memory)
	}
}

// others are the ratios of those who are neither the bridge nor what it is compared with.
func (o *outcome) others(figure int) string {
	var list []string
	for _, c := range o.contenders[min(2, len(o.contenders)):] {
		if s := summarize(o.ratios(c, figure)); !math.IsNaN(s.median) {
			list = append(list, fmt.Sprintf("%s %s (%s to %s)", c.name, ratio(s.median), ratio(s.min), ratio(s.max)))
		}
	}
	for _, c := range o.missing {
		list = append(list, c.name+" is not installed")
	}
	return strings.Join(list, "; ")
}

func oneLine(err error) string {
	return strings.NewReplacer("\n", " ", "|", "\\|").Replace(err.Error())
}

// text writes a value with its unit.
func (f *figure) text(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return number(v) + " " + f.unit
}

func ratio(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	if math.Abs(v) < 0.01 {
		return number(v)
	}
	return fmt.Sprintf("%.2f", v)
}

const notes = `
How it is measured:

* The bridge is the built binary, run as processes of its own; its memory is the most that all of them had resident at a time, over all
  rounds. In the comparisons where replicas are down, the bridge's own time includes the start of its process.
* Native replication is a subscription with its defaults; "native, streaming" is one with ` + "`streaming = on`" + `.
* At the end of every round all tables that were worked on are compared with the master's, row for row, on every replica.
  (evolve compares a table that was changed; ddl has no replica.)
* keyless: a subscription reads the table anew for every row, which would take hours. It does one of 1,000 rows, and its time is counted
  that many times; the bridge does all of them.
* lag: a prober commits a row every 10 ms, and asks the replica for it over one prepared statement, with pauses of a tenth of the lag so far.
* Processor time is that of the postmaster and all its children, from ` + "`/proc`" + `; under load, without the sessions of pgbench.
  That of each further replica is the difference between four replicas and one, by three.
* Throughput and processor time under load come from 8 pgbench clients without a limit of their rate.
`

// describe says what the run runs on.
func describe(ctx context.Context, b *bench) []string {
	machine := fmt.Sprintf("%s/%s, %d cores", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if model, err := procText("/proc/cpuinfo", "model name"); err == nil {
		machine += " of " + model
	}
	if kib, err := procNumber("/proc/meminfo", "MemTotal:"); err == nil {
		machine += fmt.Sprintf(", %.0f GiB of memory", float64(kib)/(1<<20))
	}
	others := "pglogical " + b.pglogical
	if b.pglogical == "" {
		others = "pglogical is not installed and was left out"
	}
	var set []string
	for _, name := range slices.Sorted(maps.Keys(serverSettings)) {
		set = append(set, name+" = "+serverSettings[name])
	}
	settings := "servers with PostgreSQL's defaults, but for " + strings.Join(set, ", ")
	return []string{machine, fmt.Sprintf("PostgreSQL %s, %s", b.install.Version, others), versionOf(ctx, b.binary), settings}
}

// versionOf is what a bridge says of itself, on one line.
func versionOf(ctx context.Context, binary string) string {
	out, err := exec.CommandContext(ctx, binary, "version").Output()
	if err != nil {
		return "bridge of unknown version"
	}
	return strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", ", ")
}
