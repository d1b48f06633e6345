package main

import (
	"bytes"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pgbridge/pgbridge"
)

// maxNotReplicated is how much of what is not replicated is named.
const maxNotReplicated = 5

// statusText is a status for people.
func statusText(s *pgbridge.Status, now time.Time) []byte {
	var b bytes.Buffer
	m := &s.Master
	if !m.Reachable {
		fmt.Fprintf(&b, "master    unreachable: %s\n", oneLine(m.Error))
	} else {
		fmt.Fprintf(&b, "master    PostgreSQL %s\n", m.ServerVersion)
		slot := "no bridge reads it"
		if m.Slot.Active {
			slot = "active"
		}
		if m.Slot.WALStatus == "missing" {
			slot = "missing"
		} else {
			slot += fmt.Sprintf(", WAL %s, %s retained", m.Slot.WALStatus, size(m.Slot.RetainedBytes))
		}
		fmt.Fprintf(&b, "slot      %s: %s\n", m.Slot.Name, slot)
		if m.Epoch > 0 {
			fmt.Fprintf(&b, "head      %s\n", headText(m, now))
			fmt.Fprintf(&b, "log       %s\n", logText(m))
		}
		for i, object := range m.NotReplicated {
			head := "not replicated:"
			if i == maxNotReplicated {
				fmt.Fprintf(&b, "%s %d more, see bridge doctor\n", head, m.NotCount-maxNotReplicated)
				break
			}
			fmt.Fprintf(&b, "%s %s\n", head, oneLine(object))
		}
		if m.Error != "" {
			fmt.Fprintf(&b, "error     %s\n", oneLine(m.Error))
		}
	}
	if len(s.Replicas) == 0 {
		b.WriteString("\nThe configuration has no replicas.\n")
		return b.Bytes()
	}
	b.WriteString("\n")
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "REPLICA\tSTATE\tBLOCK\tBEHIND\tBYTES\tAGE")
	for i := range s.Replicas {
		r := &s.Replicas[i]
		block := "-"
		if r.Position.Epoch > 0 {
			block = grouped(r.Position.Seq)
		}
		blocks, bytes, seconds := lagText(r.Lag)
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.State, block, blocks, bytes, seconds)
	}
	table.Flush()
	for i := range s.Replicas {
		r := &s.Replicas[i]
		if c := r.Copy; c != nil {
			fmt.Fprintf(&b, "%s: copied %s of about %s of %s\n", r.Name, grouped(c.RowsDone), count(max(c.Rows, c.RowsDone), "row"), count(c.Tables, "table"))
		}
		if r.Error != "" {
			fmt.Fprintf(&b, "%s: %s\n", r.Name, oneLine(r.Error))
		}
		for _, p := range r.Pending {
			fmt.Fprintf(&b, "%s: is being built: %s\n", r.Name, oneLine(p))
		}
		for _, d := range r.Drift {
			fmt.Fprintf(&b, "%s: changed by hand: %s\n", r.Name, oneLine(d))
		}
	}
	return b.Bytes()
}

func headText(m *pgbridge.MasterStatus, now time.Time) string {
	at := fmt.Sprintf("block %s at %s, epoch %d", grouped(m.Head.Seq), m.Head.LSN, m.Epoch)
	if t := m.Head.CommitTime; t != nil {
		at += fmt.Sprintf(", committed %s ago", age(now.Sub(*t)))
	}
	return at
}

func logText(m *pgbridge.MasterStatus) string {
	if m.Log.Blocks == 0 {
		return "no blocks, " + size(m.Log.Bytes)
	}
	return fmt.Sprintf("%s from %s on, %s", count(m.Log.Blocks, "block"), grouped(m.Log.OldestSeq), size(m.Log.Bytes))
}

// lagText is a replica's lag in the columns of a table.
func lagText(l pgbridge.Lag) (blocks, bytes, seconds string) {
	blocks, bytes, seconds = "-", "-", "-"
	if l.Blocks != nil {
		blocks = grouped(*l.Blocks)
	}
	if l.Bytes != nil {
		bytes = size(*l.Bytes)
	}
	if l.Seconds != nil {
		seconds = age(time.Duration(*l.Seconds * float64(time.Second)))
	}
	return blocks, bytes, seconds
}

// statusLine is a status on one line.
func statusLine(s *pgbridge.Status, now time.Time) []byte {
	parts := []string{now.Format(time.RFC3339)}
	switch m := &s.Master; {
	case !m.Reachable:
		parts = append(parts, "master unreachable")
	case m.Error != "":
		parts = append(parts, "master: "+oneLine(m.Error))
	default:
		parts = append(parts, fmt.Sprintf("master block %d", m.Head.Seq))
	}
	for i := range s.Replicas {
		r := &s.Replicas[i]
		part := r.Name + " " + r.State
		if r.Position.Epoch > 0 {
			part += fmt.Sprintf(" block %d", r.Position.Seq)
		}
		if r.Lag.Blocks != nil && r.Lag.Seconds != nil {
			part += fmt.Sprintf(" behind %d (%s)", *r.Lag.Blocks, age(time.Duration(*r.Lag.Seconds*float64(time.Second))))
		}
		if len(r.Drift) > 0 {
			part += " changed by hand"
		}
		if r.Error != "" {
			part += ": " + shorten(oneLine(r.Error), 120)
		}
		parts = append(parts, part)
	}
	return []byte(strings.Join(parts, " | ") + "\n")
}

// redraw puts a text in the place of the one before, without flicker.
func redraw(text []byte) []byte {
	const home, eraseLine, eraseBelow = "\x1b[H", "\x1b[K", "\x1b[J"
	return []byte(home + strings.ReplaceAll(string(text), "\n", eraseLine+"\n") + eraseBelow)
}
