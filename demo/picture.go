package demo

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pgbridge/pgbridge"
)

// picture is where everything stands at one moment.
type picture struct {
	Elapsed, Duration    time.Duration
	Transactions, Failed int64   // of the workload
	Rate                 float64 // transactions a second
	Bridge               bool    // runs
	Ended                bool    // the workload has
	Master               pgbridge.MasterStatus
	Replicas             []replicaPicture
}

type replicaPicture struct {
	pgbridge.ReplicaStatus
	Rows, Total int64   // copied
	History     []int64 // lag in blocks, the newest last; -1: not known
}

// style is a way to show text: parameters of the terminal's SGR sequence.
type style string

const (
	normal style = ""
	strong style = "1"
	faint  style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	cyan   style = "36"
)

// line is a line of text in several styles.
type line []span

type span struct {
	text  string
	style style
}

func (l *line) add(s style, format string, args ...any) {
	*l = append(*l, span{fmt.Sprintf(format, args...), s})
}

func (l line) width() (n int) {
	for _, s := range l {
		n += utf8.RuneCountInString(s.text)
	}
	return n
}

// render is the line, cut to a width.
func (l line) render(width int, color bool) string {
	var b strings.Builder
	for _, s := range l {
		text := cut(s.text, width)
		if width -= utf8.RuneCountInString(text); text == "" {
			continue
		}
		if color && s.style != normal {
			fmt.Fprintf(&b, "\x1b[%sm%s\x1b[0m", s.style, text)
		} else {
			b.WriteString(text)
		}
	}
	return b.String()
}

// lines draws the picture for a terminal of this width.
func (p *picture) lines(width int) []line {
	var head, master line
	head.add(strong, "pgbridge demo")
	if p.Ended {
		head.add(normal, "   the shop is closed")
	} else {
		head.add(normal, "   the shop is open for %s of %s", clock(p.Elapsed), clock(p.Duration))
		head.add(faint, "   Ctrl-C closes it")
	}
	master.add(cyan, "%-8s", masterName)
	if m := &p.Master; !m.Reachable {
		master.add(red, "%-12s", "unreachable")
		master.add(faint, "  %s", oneLine(m.Error))
	} else {
		master.add(green, "%-12s", fmt.Sprintf("%.0f tx/s", p.Rate))
		master.add(normal, "  block %-9s", grouped(m.Head.Seq))
		master.add(normal, "  log %s", size(m.Log.Bytes))
		master.add(faint, "   %s done", grouped(p.Transactions))
		if p.Failed > 0 {
			master.add(red, ", %s failed", grouped(p.Failed))
		}
		switch {
		case !p.Bridge:
			master.add(red, "   the bridge is stopped")
		case !m.Slot.Active:
			master.add(yellow, "   no tap reads the slot")
		}
	}
	all := []line{nil, head, master}
	for i := range p.Replicas {
		all = append(all, p.Replicas[i].line(width))
	}
	return all
}

func (r *replicaPicture) line(width int) (l line) {
	l.add(cyan, "%-8s", r.Name)
	l.add(stateStyle(r.State), "%-12s", strings.ReplaceAll(r.State, "_", " "))
	if r.State == pgbridge.StateCopying {
		l.add(normal, "  ")
		const most = 30
		if bar := min(most, width-l.width()-40); bar >= 8 {
			full := 0
			if r.Total > 0 {
				full = int(int64(bar) * min(r.Rows, r.Total) / r.Total)
			}
			l.add(green, "%s", strings.Repeat("█", full))
			l.add(faint, "%s", strings.Repeat("░", bar-full))
			l.add(normal, " ")
		}
		l.add(normal, "%s", r.copied())
		return l
	}
	l.add(normal, "  block %-9s", grouped(r.Position.Seq))
	blocks, age := r.lag()
	l.add(normal, "  lag %14s %8s", blocks, age)
	if room := width - l.width() - 3; room >= 8 {
		l.add(normal, "  ")
		l.add(stateStyle(r.State), "%s", sparkline(r.History, min(room, historyLength)))
	}
	return l
}

func (r *replicaPicture) copied() string {
	if r.Total == 0 {
		return "makes its schema"
	}
	return grouped(r.Rows) + " of " + count(r.Total, "row")
}

func (r *replicaPicture) lag() (blocks, age string) {
	blocks, age = "-", "-"
	if b := r.Lag.Blocks; b != nil {
		blocks = count(*b, "block")
	}
	if s := r.Lag.Seconds; s != nil {
		age = seconds(time.Duration(*s * float64(time.Second)))
	}
	return blocks, age
}

func stateStyle(state string) style {
	switch state {
	case pgbridge.StateStreaming:
		return green
	case pgbridge.StateStopped, pgbridge.StateUnreachable:
		return red
	}
	return yellow
}

// status is the picture on one line.
func (p *picture) status() string {
	var b strings.Builder
	if !p.Master.Reachable {
		fmt.Fprintf(&b, "master unreachable: %s", oneLine(p.Master.Error))
	} else {
		fmt.Fprintf(&b, "master %.0f tx/s, block %s, log %s", p.Rate, grouped(p.Master.Head.Seq), size(p.Master.Log.Bytes))
	}
	if !p.Bridge {
		b.WriteString(" | bridge stopped")
	}
	for i := range p.Replicas {
		r := &p.Replicas[i]
		fmt.Fprintf(&b, " | %s %s", r.Name, strings.ReplaceAll(r.State, "_", " "))
		if r.State == pgbridge.StateCopying {
			fmt.Fprintf(&b, ": %s", r.copied())
			continue
		}
		blocks, age := r.lag()
		fmt.Fprintf(&b, ", block %s, lag %s, %s", grouped(r.Position.Seq), blocks, age)
	}
	return b.String()
}

// sparkline draws values from 0 on, logarithmically, the newest at the right. What is not known is a gap.
func sparkline(values []int64, width int) string {
	levels := []rune("▁▂▃▄▅▆▇█")
	values = values[max(0, len(values)-width):]
	most := int64(100) // so that single blocks stay low
	for _, v := range values {
		most = max(most, v)
	}
	var b strings.Builder
	for _, v := range values {
		if v < 0 {
			b.WriteByte(' ')
			continue
		}
		level := math.Log1p(float64(v)) / math.Log1p(float64(most)) * float64(len(levels)-1)
		b.WriteRune(levels[int(math.Round(level))])
	}
	return b.String()
}
