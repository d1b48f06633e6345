package itest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/pgbridge/pgbridge/pgserver"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

// roundsVariable says how often something is killed.
const roundsVariable = "ITEST_ROUNDS"

func rounds(t testing.TB, usual, short int) int {
	t.Helper()
	if text := os.Getenv(roundsVariable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s=%q: %v", roundsVariable, text, err)
		}
		return n
	}
	if testing.Short() {
		return short
	}
	return usual
}

// streamEverything makes the master stream all transactions that are not small.
func streamEverything() pgtest.Option { return pgtest.Setting("logical_decoding_work_mem", "64kB") }

// end ends a server in one of the three ways.
func (w *world) end(s *pgserver.Server, how int) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	name := "killed"
	switch how {
	case 0:
		err = s.Kill(ctx)
	case 1:
		name, err = "stopped at once", s.Stop(ctx, pgserver.Immediate)
	default:
		name, err = "stopped", s.Stop(ctx, pgserver.Fast)
	}
	if err != nil {
		w.t.Fatalf("end a server: %v", err)
	}
	return name
}

func (w *world) begin(s *pgserver.Server) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := s.Start(ctx); err != nil {
		w.t.Fatalf("start a server again: %v", err)
	}
}

// Whatever is killed, and whenever: every transaction is applied exactly once, and the
// log of the master and those of the replicas stay one.
func TestKilledAtRandom(t *testing.T) {
	n := seed(t)
	rng := rand.New(rand.NewPCG(n, 1<<32))
	w := newWorld(t, 0, 0, 2, streamEverything())
	w.config.Window.Transactions = 1 + rng.IntN(200)
	w.onMaster(workloadTables)
	w.init()
	tap := w.spawn("tap")
	appliers := []*process{w.spawn("replica=r1"), w.spawn("replica=r2")}
	w.settle()

	total := rounds(t, 12, 6)
	load := w.work(n, 4, randomStep)
	for round := range total {
		time.Sleep(time.Duration(rng.IntN(1200)) * time.Millisecond)
		down := time.Duration(rng.IntN(400)) * time.Millisecond
		i := rng.IntN(len(appliers))
		what := ""
		switch rng.IntN(8) {
		case 0, 1:
			what = "the tap is killed"
			tap.kill()
			time.Sleep(down)
			w.again(tap)
		case 2, 3:
			what = fmt.Sprintf("applier %d is killed", i+1)
			appliers[i].kill()
			time.Sleep(down)
			w.again(appliers[i])
		case 4, 5:
			what = fmt.Sprintf("replica %d is %s", i+1, w.end(w.replicas[i], rng.IntN(3)))
			time.Sleep(down)
			w.begin(w.replicas[i])
		default:
			what = "the master is " + w.end(w.master, rng.IntN(3))
			if rng.IntN(2) == 0 {
				tap.kill()
				what += ", and the tap killed"
			}
			time.Sleep(down)
			w.begin(w.master)
			w.again(tap)
		}
		t.Logf("round %d: %s", round+1, what)
		if (round+1)%8 == 0 && round+1 < total {
			w.finish(load)
			load = w.work(n+uint64(round)+1, 4, randomStep)
		}
	}
	w.finish(load)
}

// finish ends the work and compares what there is.
func (w *world) finish(load *workload) {
	w.t.Helper()
	load.stop()
	w.settle()
	w.same()
	w.logs()
}

// A copy that is broken off again and again while the master is written to ends in a
// replica that is the same, row for row. It once stood still for ever in catching_up: a
// row that was read again, because its key had moved to a chunk that was copied before,
// put the end of the copy behind a marker that was then rolled back.
func TestKilledWhileCopying(t *testing.T) {
	n := seed(t)
	rng := rand.New(rand.NewPCG(n, 1<<32))
	w := newWorld(t, 0, 0, 1, streamEverything())
	w.onMaster(workloadTables + `
		create table history (id int primary key, v text, long text);
		alter table history alter long set storage external;
		insert into history select i, md5(i::text), repeat(md5(i::text), 100) from generate_series(1, 40000) i;
		analyze history;`)
	w.init()
	tap := w.spawn("tap")
	load := w.work(n, 3, func(s *client) error {
		if s.rng.IntN(3) > 0 {
			return randomStep(s)
		}
		id := s.rng.IntN(50_000)
		return s.exec([]string{
			`update history set v = v || 'x' where id between $1 and $1 + 20`,
			`update history set id = id + 50000 - 2 * (id / 50000) * 50000 where id between $1 and $1 + 20`,
			`delete from history where id between $1 and $1 + 10`,
			`insert into history select i, 'new', repeat(md5(i::text), 90) from generate_series($1::int, $1::int + 10) i on conflict (id) do update set long = excluded.long`,
		}[s.rng.IntN(4)], id)
	})
	time.Sleep(500 * time.Millisecond)
	applier := w.spawn("replica=r1")
	for round := range rounds(t, 8, 3) {
		time.Sleep(time.Duration(rng.IntN(900)) * time.Millisecond)
		what := ""
		switch rng.IntN(5) {
		case 0, 1:
			what = "the applier is killed"
			applier.kill()
			w.again(applier)
		case 2:
			what = "the replica is " + w.end(w.replicas[0], rng.IntN(3))
			w.begin(w.replicas[0])
		case 3:
			what = "the master is " + w.end(w.master, rng.IntN(3))
			w.begin(w.master)
		default:
			what = "the tap is killed"
			tap.kill()
			w.again(tap)
		}
		state, _ := tryQuery(t.Context(), w.replicas[0].URL("app"), "select state from bridge.position")
		t.Logf("round %d: %s, the replica is %v", round+1, what, state)
	}
	w.finish(load)
}
