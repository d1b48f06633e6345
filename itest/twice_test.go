package itest

import (
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"
)

// head is the number of the log's last block, 0 while the master does not answer.
func (w *world) head() string {
	w.t.Helper()
	r, err := tryQuery(w.t.Context(), w.master.URL("app"), "select coalesce(max(seq), 0) from bridge.commit_block")
	if err != nil {
		return ""
	}
	return r[0]
}

// moves waits until the log grows.
func (w *world) moves(what string) {
	w.t.Helper()
	before := w.head()
	w.eventually(what, func() bool { return w.head() != before })
}

// Two taps and two appliers of one replica: one of each works, the other waits and
// takes over when the first is killed. Nothing is logged or applied twice.
func TestTwoTapsAndTwoAppliersAtOnce(t *testing.T) {
	n := seed(t)
	rng := rand.New(rand.NewPCG(n, 1<<32))
	w := newWorld(t, 0, 0, 1, streamEverything())
	w.onMaster(workloadTables)
	w.init()
	processes := []*process{w.spawn("tap"), w.spawn("tap"), w.spawn("replica=r1"), w.spawn("replica=r1")}
	load := w.work(n, 3, randomStep)
	w.eventually("the second applier is refused", func() bool {
		return strings.Contains(tail(processes[2].log, 100)+tail(processes[3].log, 100), "another bridge applies")
	})
	for range rounds(t, 6, 3) {
		p := processes[rng.IntN(len(processes))]
		p.kill()
		w.moves("the other one takes over")
		w.again(p)
		time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
	}
	w.finish(load)
}

// A tap that was paused while another took over finds that its blocks are there
// already, and the log stays right.
func TestTapThatWasPaused(t *testing.T) {
	n := seed(t)
	rng := rand.New(rand.NewPCG(n, 1<<32))
	w := newWorld(t, 0, 0, 1, streamEverything())
	w.onMaster(workloadTables)
	w.init()
	taps := []*process{w.spawn("tap"), w.spawn("tap")}
	w.spawn("replica=r1")
	load := w.work(n, 3, randomStep)
	w.moves("the log begins")
	for range rounds(t, 5, 2) {
		time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
		// Which of the two has the slot is not known, and either way it has to go well.
		paused := taps[rng.IntN(2)]
		paused.signal(syscall.SIGSTOP)
		w.onMaster(`select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = 'bridge' and active`)
		w.moves("the other tap takes over")
		time.Sleep(time.Duration(rng.IntN(1000)) * time.Millisecond)
		paused.signal(syscall.SIGCONT)
		if rng.IntN(2) == 0 {
			w.onMaster(`select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = 'bridge' and active`)
		}
	}
	w.finish(load)
}
