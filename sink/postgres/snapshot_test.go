package postgres

import (
	"slices"
	"testing"
)

func TestParseSnapshot(t *testing.T) {
	for _, c := range []struct {
		text       string
		xmin, xmax uint64
		running    []uint64
	}{
		{"10:10:", 10, 10, nil},
		{"10:20:10", 10, 20, []uint64{10}},
		{"10:20:10,14,15", 10, 20, []uint64{10, 14, 15}},
		{"10:20:15,10", 10, 20, []uint64{10, 15}},
		{"8589934592:8589934600:8589934592", 1 << 33, 1<<33 + 8, []uint64{1 << 33}},
	} {
		sn, err := parseSnapshot(c.text)
		if err != nil || sn.xmin != c.xmin || sn.xmax != c.xmax || !slices.Equal(sn.running, c.running) {
			t.Errorf("%s: got %+v, %v", c.text, sn, err)
		}
	}
	for _, s := range []string{"", "10", "10:20", "10:20:30:40", "x:20:", "10:x:", "10:20:x", "10:20:,", "-1:20:", "10:18446744073709551616:"} {
		if sn, err := parseSnapshot(s); err == nil {
			t.Errorf("%q is read as %+v", s, sn)
		}
	}
}

func TestSees(t *testing.T) {
	const epoch = 1 << 32
	for _, c := range []struct {
		name     string
		snapshot string
		xid      uint32
		want     bool
	}{
		{"older than all that ran", "10:20:10,15", 9, true},
		{"the oldest that ran", "10:20:10,15", 10, false},
		{"between, and done", "10:20:10,15", 12, true},
		{"between, and running", "10:20:10,15", 15, false},
		{"the last that was done", "10:20:10,15", 19, true},
		{"not begun yet", "10:20:10,15", 20, false},
		{"much later", "10:20:10,15", 2_000_000_000, false},
		{"nothing ran", "20:20:", 19, true},
		{"nothing ran, the next", "20:20:", 20, false},

		{"in a later epoch, before", "4294967306:4294967316:4294967306", 9, true},
		{"in a later epoch, running", "4294967306:4294967316:4294967306", 10, false},
		{"in a later epoch, not begun", "4294967306:4294967316:4294967306", 20, false},
		{"before the counter went round", "4294967306:4294967316:4294967306", 4294967290, true},
		{"long before the counter went round", "4294967306:4294967316:4294967306", 1<<31 + 21, true},
		{"behind the snapshot, after the counter will go round", "4294967280:4294967290:", 5, false},
		{"running across the turn of the counter", "4294967290:4294967300:4294967295,4294967298", 4294967295, false},
		{"running across the turn, the new side", "4294967290:4294967300:4294967295,4294967298", 2, false},
		{"done across the turn, the new side", "4294967290:4294967300:4294967295,4294967298", 1, true},
		{"done across the turn, the old side", "4294967290:4294967300:4294967295,4294967298", 4294967293, true},
	} {
		sn, err := parseSnapshot(c.snapshot)
		if err != nil {
			t.Fatal(err)
		}
		if got := sn.sees(c.xid); got != c.want {
			t.Errorf("%s: snapshot %s sees %d: %v, want %v", c.name, c.snapshot, c.xid, got, c.want)
		}
	}
	// For every xid within 2^31 of the snapshot, 32 bits say as much as 64.
	for _, xmax := range []uint64{1 << 31, epoch, epoch + 5, 3*epoch - 3, 7 * epoch} {
		sn := snapshot{xmin: xmax - 4, xmax: xmax, running: []uint64{xmax - 4, xmax - 2}}
		for _, d := range []int64{-1 << 31, -1<<31 + 1, -5, -4, -3, -2, -1, 0, 1, 1<<31 - 1} {
			full := xmax + uint64(d)
			want := full < xmax && !slices.Contains(sn.running, full)
			if got := sn.sees(uint32(full)); got != want {
				t.Errorf("xmax %d, xid %d: %v, want %v", xmax, full, got, want)
			}
		}
	}
}

func TestMode(t *testing.T) {
	for _, c := range []struct {
		name      string
		snapshots []string
		missing   bool
		xid       uint32
		want      mode
		mixed     bool
	}{
		{"nothing was read yet", nil, true, 5, skip, false},
		{"one chunk, which saw it", []string{"10:10:"}, false, 5, skip, false},
		{"one chunk, which did not", []string{"10:10:"}, false, 10, strict, false},
		{"one chunk of several, which saw it", []string{"10:10:"}, true, 5, skip, true},
		{"one chunk of several, which did not", []string{"10:10:"}, true, 10, lenient, true},
		{"all chunks saw it", []string{"10:10:", "20:20:"}, false, 5, skip, true},
		{"no chunk saw it", []string{"10:10:", "20:20:"}, false, 20, strict, true},
		{"no chunk saw it, and one is missing", []string{"10:10:", "20:20:"}, true, 20, lenient, true},
		{"some chunks saw it", []string{"10:10:", "20:20:"}, false, 15, lenient, true},
		{"the first of many saw it", []string{"20:20:", "10:10:", "30:30:"}, false, 5, skip, true},
		{"one of many saw it", []string{"20:20:", "30:30:", "10:10:"}, false, 25, lenient, true},
		{"a chunk was read while it ran", []string{"10:20:12", "20:20:"}, false, 12, lenient, true},
		{"both chunks were read while it ran", []string{"10:20:12", "12:30:12"}, false, 12, strict, true},
		{"two chunks were read in one moment", []string{"10:20:12", "10:20:12"}, false, 12, strict, false},
	} {
		tbl := copied{missing: c.missing}
		for _, s := range c.snapshots {
			sn, err := parseSnapshot(s)
			if err != nil {
				t.Fatal(err)
			}
			tbl.add(sn)
		}
		if got := tbl.mode(c.xid); got != c.want {
			t.Errorf("%s: mode %d, want %d", c.name, got, c.want)
		}
		if got := tbl.mixed(); got != c.mixed {
			t.Errorf("%s: mixed %v, want %v", c.name, got, c.mixed)
		}
	}
}
