package demo

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/internal/gold"
)

func ptr[T any](v T) *T { return &v }

// examplePicture has a replica in each state.
func examplePicture() picture {
	replica := func(name, state string, seq int64, lag pgbridge.Lag, history ...int64) replicaPicture {
		return replicaPicture{ReplicaStatus: pgbridge.ReplicaStatus{Name: name, State: state, Position: change.Position{Epoch: 1, Seq: seq}, Lag: lag}, History: history}
	}
	lag := func(blocks int64, seconds float64) pgbridge.Lag {
		return pgbridge.Lag{Blocks: &blocks, Seconds: &seconds}
	}
	copying := replica("asia", pgbridge.StateCopying, 0, pgbridge.Lag{})
	copying.Rows, copying.Total = 61_000, 146_000
	return picture{
		Elapsed: 23 * time.Second, Duration: time.Minute, Transactions: 18_213, Rate: 213.7, Bridge: true,
		Master: pgbridge.MasterStatus{Reachable: true, Slot: pgbridge.SlotStatus{Active: true},
			Head: pgbridge.Head{Seq: 4812}, Log: pgbridge.LogStatus{Bytes: 12_900_000}},
		Replicas: []replicaPicture{
			replica("eu", pgbridge.StateStreaming, 4811, lag(1, 0.0031), 0, 0, 1, 3, 12, 100, 40, 2, 1, 0, 1),
			replica("us", pgbridge.StateUnreachable, 4100, lag(712, 3.24), -1, 0, 1, 100, 300, 500, 712),
			copying,
			replica("africa", pgbridge.StateCopying, 0, pgbridge.Lag{}),
			replica("brazil", pgbridge.StateCatchingUp, 12, lag(4800, 64)),
		},
	}
}

func TestPicture(t *testing.T) {
	p := examplePicture()
	without := p
	without.Bridge, without.Failed, without.Ended = false, 2, true
	silent := p
	silent.Master = pgbridge.MasterStatus{Error: "connect to the master: dial tcp 127.0.0.1:5432:\nconnection refused"}
	var b strings.Builder
	for _, row := range []struct {
		name  string
		p     *picture
		width int
	}{
		{"wide", &p, 110}, {"narrow", &p, 60}, {"hardly anything", &p, 10}, {"bridge stopped, workload ended", &without, 100}, {"master unreachable", &silent, 80},
	} {
		fmt.Fprintf(&b, "# %s, %d columns\n", row.name, row.width)
		for _, l := range row.p.lines(row.width) {
			text := l.render(row.width, false)
			if n := len([]rune(text)); n > row.width {
				t.Errorf("%s: a line of %d characters, want at most %d: %s", row.name, n, row.width, text)
			}
			b.WriteString(strings.TrimRight(text, " ") + "\n")
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "# on one line\n%s\n%s\n%s\n", p.status(), without.status(), silent.status())
	gold.Text(t, "picture.txt", b.String())
}

func TestLineKeepsItsWidthInColor(t *testing.T) {
	var l line
	l.add(red, "%s", "ab")
	l.add(normal, "%s", "cd")
	l.add(green, "%s", "ef")
	if got, want := l.render(3, true), "\x1b[31mab\x1b[0mc"; got != want {
		t.Errorf("cut to 3: %q, want %q", got, want)
	}
	if got, want := l.render(9, false), "abcdef"; got != want {
		t.Errorf("without color: %q, want %q", got, want)
	}
}

// The block is drawn in the place of the one before, and events come above it. The golden text has escapes as \x1b.
func TestDisplayOnATerminal(t *testing.T) {
	var out bytes.Buffer
	width := 60
	d := newDisplay(Options{Out: &out, Size: func() (int, int) { return width, 24 }}, func(err error) { t.Error(err) })
	p := picture{Elapsed: time.Second, Duration: time.Minute, Bridge: true, Master: pgbridge.MasterStatus{Reachable: true, Slot: pgbridge.SlotStatus{Active: true}}}
	d.event("before the first picture")
	d.show(p)
	d.event("between two pictures")
	width = 20 // the terminal has wrapped the block's lines
	p.Elapsed *= 2
	d.show(p)
	d.close()
	d.show(p)
	d.event("after the last")
	gold.Text(t, "display.txt", strings.ReplaceAll(out.String(), "\x1b", `\x1b`))
}

func TestDisplayWithoutATerminal(t *testing.T) {
	var out bytes.Buffer
	d := newDisplay(Options{Out: &out}, func(err error) { t.Error(err) })
	d.event("an event\nof two lines")
	d.show(examplePicture())
	d.show(examplePicture()) // too soon
	d.close()
	got := out.String()
	if strings.Count(got, "status:") != 1 || strings.Count(got, "\n") != 2 || strings.Contains(got, "\x1b") {
		t.Errorf("got %q, want an event and one status, each on one line", got)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, fmt.Errorf("broken pipe") }

func TestDisplayTellsOnceThatItIsBroken(t *testing.T) {
	told := 0
	d := newDisplay(Options{Out: brokenPipe{}}, func(error) { told++ })
	d.event("one")
	d.event("two")
	if told != 1 {
		t.Errorf("told %d times, want once", told)
	}
}

func TestProof(t *testing.T) {
	server := func(name string, reviews *sum) contents {
		c := contents{name, map[string]sum{"shop.customer": {5_314, "b727869c"}, "shop.orders": {41_737, "0d338dce"}}}
		if reviews != nil {
			c.tables["shop.review"] = *reviews
		}
		return c
	}
	good := ptr(sum{2_227, "8365af41"})
	var b strings.Builder
	for _, row := range []struct {
		name  string
		all   []contents
		width int
		equal bool
	}{
		{"equal", []contents{server("master", good), server("eu", good)}, 100, true},
		{"side by side and below", []contents{server("master", good), server("eu", good), server("us", good)}, 62, true},
		{"other rows, and a table that is missing", []contents{server("master", good), server("eu", ptr(sum{2_227, "00000000"})), server("us", nil)}, 100, false},
		{"a table that only a replica has", []contents{server("master", nil), server("eu", good)}, 100, false},
	} {
		text, equal := proof(row.all, row.width)
		if equal != row.equal {
			t.Errorf("%s: equal %v, want %v", row.name, equal, row.equal)
		}
		fmt.Fprintf(&b, "# %s\n%s\n\n", row.name, text)
	}
	gold.Text(t, "proof.txt", b.String())
}
