package postgres

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// snapshot is what a transaction on the master saw when it read rows, in
// PostgreSQL's text form xmin:xmax:xip,xip…
// See https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT
type snapshot struct {
	xmin, xmax uint64
	running    []uint64 // between xmin and xmax, sorted
}

func parseSnapshot(s string) (snapshot, error) {
	var sn snapshot
	parts := strings.Split(s, ":")
	if len(parts) != 3 {
		return sn, fmt.Errorf("snapshot %q has %d parts, want 3", s, len(parts))
	}
	var err error
	if sn.xmin, err = strconv.ParseUint(parts[0], 10, 64); err != nil {
		return sn, fmt.Errorf("snapshot %q: %w", s, err)
	}
	if sn.xmax, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return sn, fmt.Errorf("snapshot %q: %w", s, err)
	}
	if parts[2] != "" {
		for _, x := range strings.Split(parts[2], ",") {
			xid, err := strconv.ParseUint(x, 10, 64)
			if err != nil {
				return sn, fmt.Errorf("snapshot %q: %w", s, err)
			}
			sn.running = append(sn.running, xid)
		}
	}
	slices.Sort(sn.running)
	return sn, nil
}

// sees says whether the snapshot saw the effects of a committed transaction. The log
// knows 32 bits of its xid; the rest is that of the xid closest to the snapshot.
func (sn snapshot) sees(xid uint32) bool {
	full := sn.xmax + uint64(int64(int32(xid-uint32(sn.xmax))))
	switch {
	case full < sn.xmin:
		return true
	case full >= sn.xmax:
		return false
	}
	_, running := slices.BinarySearch(sn.running, full)
	return !running
}

// mode says how a change is applied to a table.
type mode int

const (
	strict  mode = iota // the replica is as the master was: every row must be found
	skip                // all rows were or will be read after the change
	lenient             // some rows were read before the change and some after
)

// before says whether the snapshot was taken before the other: then the other sees all
// that it sees, for transactions end one after the other.
func (sn snapshot) before(other snapshot) bool {
	return sn.xmax < other.xmax || sn.xmax == other.xmax && len(sn.running) > len(other.running)
}

// copied is a table of which the stream has not yet passed all that was read.
type copied struct {
	// The snapshots of what is there. The others are between these.
	oldest, youngest *snapshot
	missing          bool // not all of its rows are there yet
}

// mode tells how to apply a change of the transaction.
//
// Why lenient is exact, for a table with a key: the stream brings every change that
// some chunk has not seen, in commit order, so the last change of each key decides,
// and changes that a chunk had seen already are overwritten by what came after them.
// Two transactions that change one row become visible in the order in which they
// commit, because the second waits for the first.
func (c *copied) mode(xid uint32) mode {
	switch {
	case c.oldest == nil || c.oldest.sees(xid):
		return skip // what is copied later sees it, too
	case c.missing || c.youngest.sees(xid):
		return lenient
	}
	return strict
}

// mixed says whether rows of different moments of the master stand side by side.
func (c *copied) mixed() bool {
	return c.oldest != nil && (c.missing || c.oldest.before(*c.youngest))
}

// add notes a snapshot.
func (c *copied) add(sn snapshot) {
	if c.oldest == nil || sn.before(*c.oldest) {
		c.oldest = &sn
	}
	if c.youngest == nil || c.youngest.before(sn) {
		c.youngest = &sn
	}
}
