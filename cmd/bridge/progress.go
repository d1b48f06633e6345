package main

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/pgbridge/pgbridge/sink/postgres"
)

// display shares standard error between log lines and, on a terminal, a progress bar below them. It is safe for
// concurrent use. The zero value of everything but out is ready.
type display struct {
	out io.Writer
	tty bool

	mu    sync.Mutex
	bar   *progressbar.ProgressBar
	label string
}

func (a *app) display() *display { return &display{out: a.err, tty: isTerminal(a.err)} }

// Write writes what is not progress; the bar comes back with the next step.
func (d *display) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
	return d.out.Write(p)
}

// hide takes the bar away, before something is written to standard output.
func (d *display) hide() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
}

func (d *display) clear() {
	if d.bar != nil {
		d.bar.Clear()
	}
}

// end takes the bar away for good.
func (d *display) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
	d.bar = nil
}

// show draws how far something is. On anything but a terminal it does nothing.
func (d *display) show(label, detail, unit string, done, total int64) {
	if !d.tty {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bar == nil || d.label != label {
		d.clear()
		d.label = label
		d.bar = progressbar.NewOptions64(max(total, done, 1),
			progressbar.OptionSetWriter(d.out),
			progressbar.OptionSetDescription(label+detail),
			progressbar.OptionSetWidth(24),
			progressbar.OptionShowCount(),
			progressbar.OptionShowIts(),
			progressbar.OptionSetItsString(unit),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionUseANSICodes(true),
		)
	}
	// One more than there is: a bar that is full can not go on.
	d.bar.ChangeMax64(max(total, done) + 1)
	d.bar.Describe(label + detail)
	d.bar.Set64(done)
}

// pace says when the next line about something is due.
type pace struct {
	mu   sync.Mutex
	last map[string]time.Time
}

// logEvery is the time between two lines about the same work, where there is no terminal.
const logEvery = 5 * time.Second

// due says whether a line is due, the first one logEvery after the first call.
func (p *pace) due(what string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last = map[string]time.Time{}
	}
	last, known := p.last[what]
	if !known || time.Since(last) >= logEvery {
		p.last[what] = time.Now()
		return known
	}
	return false
}

// copies shows how the copies of new replicas go: on a terminal as one bar, else as log lines.
type copies struct {
	display *display
	log     *slog.Logger
	pace    pace

	mu   sync.Mutex
	last map[string]copyStep
}

type copyStep struct {
	postgres.Progress
	at        time.Time
	began     time.Time // of the phase
	beganDone int64
}

// stale is the time after which a copy that was not heard of is not added up.
const stale = 2 * time.Second

// step takes news of a copy.
func (c *copies) step(p postgres.Progress) {
	c.mu.Lock()
	if c.last == nil {
		c.last = map[string]copyStep{}
	}
	now := time.Now()
	step := copyStep{Progress: p, at: now, began: now, beganDone: p.Done}
	if before, ok := c.last[p.Replica]; ok && before.Phase == p.Phase {
		step.began, step.beganDone = before.began, before.beganDone
	}
	c.last[p.Replica] = step
	label, detail, unit, done, total := c.sum(now)
	c.mu.Unlock()

	c.display.show(label, detail, unit, done, total)
	if c.display.tty || !c.pace.due(p.Replica) {
		return
	}
	if p.Phase != "rows" {
		c.log.Info("copy makes its schema", "replica", p.Replica, "object", p.Object, "done", p.Done, "of", p.Total)
		return
	}
	rate, left := step.rate()
	c.log.Info("copy", "replica", p.Replica, "rows", p.Done, "of", p.Total, "bytes", p.Bytes,
		"rows_per_second", int64(rate), "left", left.Round(time.Second).String())
}

// rate is the copy's speed in rows a second, and the time that the rest takes at it.
func (s *copyStep) rate() (rate float64, left time.Duration) {
	span := s.at.Sub(s.began).Seconds()
	if span <= 0 || s.Done <= s.beganDone {
		return 0, 0
	}
	rate = float64(s.Done-s.beganDone) / span
	return rate, time.Duration(float64(s.Total-s.Done) / rate * float64(time.Second))
}

// sum adds up the copies that are reading rows, or shows the last statement if none is.
func (c *copies) sum(now time.Time) (label, detail, unit string, done, total int64) {
	var names []string
	var bytes int64
	var statement *copyStep
	for _, name := range slices.Sorted(maps.Keys(c.last)) {
		s := c.last[name]
		switch {
		case now.Sub(s.at) > stale:
		case s.Phase == "rows":
			names = append(names, name)
			done, total, bytes = done+s.Done, total+s.Total, bytes+s.Bytes
		case statement == nil || s.at.After(statement.at):
			statement = &s
		}
	}
	if len(names) > 0 || statement == nil {
		return "copy " + strings.Join(names, ", "), fmt.Sprintf(" (%s)", size(bytes)), "rows", done, total
	}
	return "schema of " + statement.Replica, "", "steps", statement.Done, statement.Total
}
