package itest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// networked is a world whose bridge reaches the master and each replica through a
// network of its own.
func networked(t testing.TB, replicas int) (w *world, master *network, each []*network) {
	t.Helper()
	w = newWorld(t, 0, 0, replicas)
	master, w.config.Master.URL = behind(t, w.master)
	for i, s := range w.replicas {
		n, through := behind(t, s)
		w.config.Replicas[i].URL = through
		each = append(each, n)
	}
	return w, master, each
}

// shortPatience has to be longer than the puller waits for a notification.
const shortPatience = 6 * time.Second

func TestConvergesThroughABadNetwork(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	w, master, replicas := networked(t, 2)
	w.onMaster(`create table a (id int primary key, n int, v text); insert into a select i, 0, 'x' from generate_series(1, 2000) i; create table sum (n bigint)`)
	w.init()
	w.start(shortPatience)
	var load sync.WaitGroup
	loading, stop := context.WithCancel(t.Context())
	defer stop()
	for worker := range 3 {
		load.Go(func() { w.load(loading, worker, rand.New(rand.NewPCG(seed, uint64(worker+1)))) })
	}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	faults := []func(*network){
		func(n *network) { n.down() },
		func(n *network) { n.add(downstream, fault{reset: ms(1 + random.IntN(50))}) },
		func(n *network) { n.add(upstream, fault{reset: ms(1 + random.IntN(50))}) },
		func(n *network) { n.add(downstream, fault{limit: 1 + random.IntN(100_000)}) },
		func(n *network) { n.add(upstream, fault{limit: 1 + random.IntN(100_000)}) },
		func(n *network) {
			pieces := &fault{piece: 200, delay: 50 * time.Microsecond}
			n.set(pieces, pieces)
		},
		func(n *network) { n.add(downstream, fault{delay: ms(100), jitter: ms(50)}) },
		func(n *network) { n.add(downstream, fault{rate: 50_000}) },
		func(n *network) { n.add(upstream, fault{rate: 50_000}) },
		func(n *network) { n.set(&fault{lose: true}, &fault{lose: true}) },
		func(n *network) { n.stall() },
	}
	all := append([]*network{master}, replicas...)
	for range rounds(t, 25, 10) {
		n := all[random.IntN(len(all))]
		faults[random.IntN(len(faults))](n)
		time.Sleep(time.Duration(random.IntN(600)) * time.Millisecond)
		n.heal()
		time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
	}
	stop()
	load.Wait()
	w.settle()
	w.same()
	w.logs()
}

// load changes table a until ctx ends, now and then with a large transaction.
func (w *world) load(ctx context.Context, worker int, random *rand.Rand) {
	conn, err := pgx.Connect(ctx, w.master.URL("app"))
	if err != nil {
		return
	}
	defer conn.Close(context.Background())
	for n := 0; ctx.Err() == nil; n++ {
		sql := fmt.Sprintf(`
			begin;
			update a set n = n + 1 where id = %d;
			insert into a values (%d, 1, 'new');
			delete from a where id = %d;
			insert into sum values (%[2]d);
			commit`, random.IntN(2000), 10_000+worker*1_000_000+n, 10_000+worker*1_000_000+n-100)
		if n%100 == 50 {
			sql = fmt.Sprintf(`update a set v = (select string_agg(md5((id + i)::text), '') from generate_series(1, 60) i) where id < 2000 and id %% 3 = %d`, worker)
		}
		if _, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil && ctx.Err() == nil {
			w.t.Errorf("load: %v", err)
			return
		}
	}
}

// A server that says nothing any more, on connections that stay open, held the applier
// for as long as the kernel kept the connection, and the state said "streaming".
func TestStalledReplicaIsNoticed(t *testing.T) {
	t.Parallel()
	w, _, replicas := networked(t, 2)
	w.onMaster(`create table a (id int primary key)`)
	w.init()
	w.start(shortPatience)
	w.wait()
	replicas[0].stall()
	w.onMaster(`insert into a values (1)`)
	w.waitOne(1)
	w.told(0, "unreachable: ", "replica r1")
	replicas[0].heal()
	w.wait()
	w.same()
	w.told(0, "streaming: ")
}

// An idle replica is noticed as well: nothing has to be committed for it.
func TestStalledIdleReplicaIsNoticed(t *testing.T) {
	t.Parallel()
	w, _, replicas := networked(t, 1)
	w.onMaster(`create table a (id int primary key)`)
	w.init()
	w.start(shortPatience)
	w.wait()
	replicas[0].stall()
	w.told(0, "unreachable: ", "replica r1")
	replicas[0].heal()
	w.told(0, "streaming: ")
	w.onMaster(`insert into a values (1)`)
	w.wait()
	w.same()
}

func TestStalledMasterIsNoticed(t *testing.T) {
	t.Parallel()
	w, master, _ := networked(t, 1)
	w.onMaster(`create table a (id int primary key)`)
	w.init()
	_, journal := w.start(shortPatience)
	w.wait()
	master.stall()
	w.onMaster(`insert into a values (1)`)
	w.eventually("the tap notices", func() bool { return journal.count("tap failed") > 0 })
	w.eventually("the applier notices", func() bool {
		return strings.Contains(w.query(w.replicas[0].URL("app"), "select error from bridge.position")[0], "connect to the master")
	})
	master.heal()
	// The error is forgotten without a new transaction, too.
	w.eventually("the replica goes on", func() bool {
		return w.query(w.replicas[0].URL("app"), "select error = '' and (select count(*) from a) = 1 from bridge.position")[0] == "t"
	})
	w.wait()
	w.same()
}

// A statement that takes longer than the patience is not a stalled server.
func TestSlowStatementIsNotStalled(t *testing.T) {
	t.Parallel()
	w, _, _ := networked(t, 1)
	w.onMaster(`create table a (id int primary key)`)
	w.init()
	_, journal := w.start(shortPatience)
	w.wait()
	// An index of the replica's own, which takes its time.
	w.onReplica(0, `
		create function slow(int) returns int language plpgsql immutable as $$begin perform pg_sleep(25); return $1; end$$;
		create index on a (slow(id))`)
	w.onMaster(`insert into a values (1)`)
	w.eventually("the statement takes long", func() bool {
		return len(w.query(w.replicas[0].URL("postgres"), "select from pg_stat_activity where application_name = 'bridge apply' and state = 'active' and now() - query_start > '20 s'")) > 0
	})
	w.wait()
	w.same()
	if n := journal.count("replica stands still"); n != 0 {
		t.Errorf("replica stood still %d times, want 0", n)
	}
}

// A lock that somebody holds on the replica is waited for, is no failure, and is told.
func TestLockOnReplicaIsWaitedFor(t *testing.T) {
	t.Parallel()
	w, _, _ := networked(t, 1)
	w.onMaster(`create table a (id int primary key)`)
	w.init()
	_, journal := w.start(shortPatience)
	w.wait()
	conn, err := pgx.Connect(t.Context(), w.replicas[0].URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	hold := func(sql string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
	}
	hold("begin; lock table a in access exclusive mode")
	w.onMaster(`insert into a values (1)`)
	w.told(0, "catching_up: ", "lock timeout", "public.a")
	hold("commit")
	w.told(0, "streaming: ")
	hold("begin; select from a") // a reader, in whose way only a change of the schema is
	w.onMaster(`alter table a add v text; insert into a values (2, 'v')`)
	w.told(0, "evolving: ", "lock timeout")
	hold("commit")
	w.wait()
	w.same()
	if n := journal.count("replica stands still"); n != 0 {
		t.Errorf("replica stood still %d times, want 0", n)
	}
}

// A network that cuts a copy again and again does not keep it from its end.
func TestCopyThroughABadNetwork(t *testing.T) {
	t.Parallel()
	w, master, replicas := networked(t, 1)
	w.onMaster(`create table a (id int primary key, v text); insert into a select i, repeat('x', 200) from generate_series(1, 300000) i; create table b as select i from generate_series(1, 50000) i`)
	w.init()
	w.start(shortPatience)
	for round := range 8 {
		n := []*network{master, replicas[0]}[round%2]
		n.add([]direction{downstream, upstream}[round/2%2], fault{limit: 200_000 * (round + 1)})
		time.Sleep(300 * time.Millisecond)
		n.heal()
		w.onMaster(fmt.Sprintf(`update a set v = 'changed' where id %% 1000 = %d; insert into b values (-%[1]d)`, round))
	}
	w.settle()
	w.same()
}

// told waits until the master was told a replica's state and error, joined by ": ".
func (w *world) told(i int, words ...string) {
	w.t.Helper()
	w.eventually(fmt.Sprintf("replica %d is told to be %q", i+1, words), func() bool {
		rows := w.query(w.master.URL("app"), fmt.Sprintf("select state || ': ' || error from bridge.replica where name = 'r%d'", i+1))
		for _, word := range words {
			if len(rows) == 0 || !strings.Contains(rows[0], word) {
				return false
			}
		}
		return true
	})
}
