package demo

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// display shows events, one below the other, and the picture: on a terminal as a block below the events that is drawn
// again in its place, else as a line every now and then. It is safe for concurrent use.
type display struct {
	out    io.Writer
	size   func() (width, height int) // nil: no terminal
	color  bool
	broken func(error) // told once when out can not be written to
	began  time.Time

	mu     sync.Mutex // guards what follows
	drawn  []int      // widths of the block's lines that stand on the terminal
	shown  *picture   // nil: none, or no more
	lined  time.Time  // of the last status line
	failed bool
	over   bool
}

// statusEvery is the pace of status lines where there is no terminal.
const statusEvery = 2 * time.Second

func newDisplay(o Options, broken func(error)) *display {
	return &display{out: o.Out, size: o.Size, color: o.Color, broken: broken, began: time.Now()}
}

// event tells what has happened, with the time.
func (d *display) event(format string, args ...any) {
	text := oneLine(fmt.Sprintf(format, args...))
	var l line
	l.add(faint, "%5s  ", clock(time.Since(d.began)))
	l.add(eventStyle(text), "%s", text)
	d.say("%s", l.render(len(text)+8, d.color))
}

// eventStyle makes accidents stand out.
func eventStyle(text string) style {
	switch {
	case strings.HasPrefix(text, "chaos:"):
		return red
	case strings.HasPrefix(text, "bridge log:"):
		return yellow
	}
	return normal
}

// say writes text above the picture.
func (d *display) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var b bytes.Buffer
	d.erase(&b)
	fmt.Fprintf(&b, format+"\n", args...)
	d.draw(&b)
	d.write(b.Bytes())
}

// show replaces the picture.
func (d *display) show(p picture) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return
	}
	var b bytes.Buffer
	if d.size == nil {
		if now := time.Now(); now.Sub(d.lined) >= statusEvery-watchEvery/2 {
			d.lined = now
			fmt.Fprintf(&b, "%5s  status: %s\n", clock(time.Since(d.began)), p.status())
		}
	} else {
		d.shown = &p
		d.erase(&b)
		d.draw(&b)
	}
	d.write(b.Bytes())
}

// close leaves the last picture where it is; no more follow. It may be called again.
func (d *display) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return
	}
	d.over = true
	if d.shown != nil {
		d.shown, d.drawn = nil, nil
		d.write([]byte(showCursor))
	}
}

// See https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
const (
	cursorUp   = "\x1b[%dA"
	eraseBelow = "\x1b[J"
	eraseLine  = "\x1b[K"
	hideCursor = "\x1b[?25l"
	showCursor = "\x1b[?25h"
)

// erase goes to where the block begins. Nothing is blank before the next block is written over it, so that
// nothing flickers: whoever writes lines there ends them with eraseLine.
func (d *display) erase(b *bytes.Buffer) {
	if len(d.drawn) == 0 {
		return
	}
	width, _ := d.size()
	rows := 0
	for _, n := range d.drawn {
		rows += 1 + max(n-1, 0)/max(width, 1) // a terminal that became narrower has wrapped them
	}
	d.drawn = nil
	fmt.Fprintf(b, "\r"+cursorUp, rows)
}

// draw puts the block below what b holds.
func (d *display) draw(b *bytes.Buffer) {
	if d.size == nil || d.shown == nil {
		return
	}
	width, height := d.size()
	lines := d.shown.lines(width - 1)
	lines = lines[:max(0, min(len(lines), height-1))]
	text := strings.ReplaceAll(b.String(), "\n", eraseLine+"\n")
	b.Reset()
	b.WriteString(hideCursor + text)
	for _, l := range lines {
		b.WriteString(l.render(width-1, d.color) + eraseLine + "\n")
		d.drawn = append(d.drawn, min(l.width(), width-1))
	}
	b.WriteString(eraseBelow)
}

func (d *display) write(text []byte) {
	if len(text) == 0 || d.failed {
		return
	}
	if _, err := d.out.Write(text); err != nil {
		d.failed = true
		d.broken(err)
	}
}
