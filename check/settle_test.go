package check

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// history is a model of one key, or one row text of a table without a key, on a master and on a replica that applies
// the same commits in order, some time later. Its states are what states would read.
type history struct {
	rnd     *rand.Rand
	keyed   bool
	commits []map[int]string // row versions by number, with their values
	applied int
}

func newHistory(rnd *rand.Rand, keyed bool) *history {
	return &history{rnd: rnd, keyed: keyed, commits: []map[int]string{{}}}
}

// pass lets time pass: some commits, and some of them applied.
func (h *history) pass() {
	for range h.rnd.IntN(4) {
		rows := maps.Clone(h.commits[len(h.commits)-1])
		version := len(h.commits)
		switch remove := h.rnd.IntN(2) == 0; {
		case remove && len(rows) > 0:
			keys := slices.Sorted(maps.Keys(rows))
			delete(rows, keys[h.rnd.IntN(len(keys))])
		case h.keyed:
			rows = map[int]string{version: string(rune('a' + h.rnd.IntN(2)))}
		default:
			rows[version] = ""
		}
		h.commits = append(h.commits, rows)
	}
	h.applied += h.rnd.IntN(len(h.commits) - h.applied)
}

func (h *history) catchUp() {
	target := len(h.commits) - 1
	h.pass()
	h.applied = max(h.applied, target)
}

func (h *history) read(rows map[int]string) state {
	st := state{rows: int64(len(rows))}
	if len(rows) == 0 {
		return st
	}
	st.version = fmt.Sprint(slices.Sorted(maps.Keys(rows)))
	st.value = fmt.Sprint(len(rows))
	if h.keyed {
		st.value = fmt.Sprint(slices.Collect(maps.Values(rows)))
	}
	return st
}

func (h *history) master() state  { return h.read(h.commits[len(h.commits)-1]) }
func (h *history) replica() state { return h.read(h.commits[h.applied]) }

// A single proof is exact when a commit shows on the master as soon as a replica can have it.
func TestAHealthyReplicaIsNeverProvenToDiffer(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for i := range 20000 {
		h := newHistory(rnd, i%2 == 0)
		h.pass()
		k := &candidate{replica: h.replica()}
		h.pass()
		k.master = h.master()
		for range 20 {
			h.catchUp()
			r := h.replica()
			h.pass()
			m := h.master()
			if k.look(r, m, h.keyed, time.Time{}) {
				break
			}
			if k.proofs > 0 {
				t.Fatalf("history %d, keyed %v: a healthy replica was proven to differ: master %+v, replica %+v",
					i, h.keyed, m, r)
			}
			h.pass()
		}
	}
}

func TestWhatStandsStillIsProven(t *testing.T) {
	one, other := state{1, "a", "1"}, state{1, "b", "2"}
	for _, test := range []struct {
		name            string
		master, replica state
		moves           string // the side whose row changes all the time
	}{
		{"changed", one, other, ""},
		{"missing", one, state{}, ""},
		{"extra", state{}, one, ""},
		{"changed on the replica, and the master's row goes on changing", one, other, "master"},
		{"changed on the replica, whose row goes on changing", one, other, "replica"},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := &candidate{master: test.master, replica: test.replica}
			for i := range proofsNeeded {
				m, r := test.master, test.replica
				switch test.moves {
				case "master":
					m.version = fmt.Sprint("new ", i)
				case "replica":
					r.version = fmt.Sprint("new ", i)
				}
				if k.look(r, m, true, time.Now()) {
					t.Fatalf("look %d says they are equal", i)
				}
			}
			if k.proofs != proofsNeeded {
				t.Fatalf("proofs=%d, want %d", k.proofs, proofsNeeded)
			}
		})
	}
}

func TestSpoolGivesBackWhatItGot(t *testing.T) {
	s := &spool{}
	defer s.Close()
	if keys, err := s.Next(5); len(keys) != 0 || err != nil {
		t.Fatalf("an empty spool has %v, %v", keys, err)
	}
	var want [][]string
	for i := range 1000 {
		key := []string{fmt.Sprint(i), "", "ü\n"}
		want = append(want, key)
		if err := s.Add(key); err != nil {
			t.Fatal(err)
		}
	}
	var got [][]string
	for {
		keys, err := s.Next(300)
		if err != nil {
			t.Fatal(err)
		}
		if len(keys) == 0 {
			break
		}
		got = append(got, keys...)
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Fatalf("got %d keys, want the %d that were added", len(got), len(want))
	}
}

func TestPartsHoldEachBucketOnce(t *testing.T) {
	differ := map[int32]int64{1: rowsAtOnce * 2, 2: 1, 3: rowsAtOnce - 1, 4: 1, 5: 1}
	got := fmt.Sprint(parts(differ))
	if want := "[[1] [2 3] [4 5]]"; got != want {
		t.Fatalf("parts=%s, want %s", got, want)
	}
}
