package itest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A transaction of many rows is applied while its block is being made, also if a table gets its first rows by it. What changes the schema
// is applied when it is stored, and one that is decoded again, too.
func TestLargeBlocksAreAppliedWhileTheyAreMade(t *testing.T) {
	w := newWorld(t, 0, 0, 2, streamEverything())
	w.onMaster(`create table a (id int primary key, v text); create table b (id int primary key, v text)`)
	w.init()
	_, said := w.start(0)
	w.wait()
	rows := func(table string, from int) string {
		return fmt.Sprintf(`insert into %s select i, repeat('large ', 20) from generate_series(%d, %d) i;`, table, from, from+29_999)
	}
	w.onMaster(rows("a", 1))
	w.onMaster(rows("a", 100_001) + rows("b", 1) + `update a set v = v || id where id % 3 = 0; delete from b where id % 5 = 0`)
	w.wait()
	w.same()
	if n := said.count("large block is applied when it is stored"); n > 0 {
		t.Errorf("%d times a large block has waited until it was stored", n)
	}
	w.onMaster(rows("b", 100_001) + `alter table b add n int default 7;` +
		`insert into b select i, 'wide', i from generate_series(200001, 230000) i; create table c (id int primary key, v text);` + rows("c", 1))
	w.onMaster(`begin;` + rows("a", 200_001) + `savepoint s; alter table a add n int;` + rows("a", 300_001) + `rollback to s;` + rows("a", 400_001) + `commit`)
	w.onMaster(`alter table b drop n`)
	w.wait()
	w.same()
	w.logs()
	if n := said.count("replica stands still"); n > 0 {
		t.Errorf("%d times a replica stood still", n)
	}
}

// A replica on which a table is locked begins again and again, and neither the log nor the other replica waits for it.
func TestLargeBlockWaitsForNoReplica(t *testing.T) {
	w := newWorld(t, 0, 0, 2, streamEverything())
	w.onMaster(`create table a (id int primary key, v text); insert into a values (0, 'first')`)
	w.init()
	w.run()
	w.wait()
	reader, err := pgx.Connect(t.Context(), w.replicas[1].URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close(context.Background())
	if _, err := reader.Exec(t.Context(), `begin; lock table a in exclusive mode`); err != nil {
		t.Fatal(err)
	}
	w.onMaster(`insert into a select i, repeat('large ', 20) from generate_series(1, 30000) i`)
	w.onMaster(`update a set v = 'last' where id = 1`)
	w.waitOne(0)
	if n := w.number(w.replicas[0].URL("app"), `select count(*) from a`); n != 30001 {
		t.Errorf("the replica that is not locked has %d rows", n)
	}
	if n := w.number(w.replicas[1].URL("app"), `select count(*) from a`); n != 1 {
		t.Errorf("the replica that is locked has %d rows", n)
	}
	if _, err := reader.Exec(t.Context(), `rollback`); err != nil {
		t.Fatal(err)
	}
	w.wait()
	w.same()
	w.logs()
}

// In one process, where replicas apply large blocks while they are made, too, whatever is killed and whenever: half a block is never to be seen.
func TestKilledWhileLargeBlocksAreMade(t *testing.T) {
	n := seed(t)
	rng := rand.New(rand.NewPCG(n, 1<<32))
	w := newWorld(t, 0, 0, 2, streamEverything())
	w.onMaster(workloadTables + `
		create table heap (id int primary key, v text, n int);
		create table copies (id int, v text);`)
	w.init()
	bridge := w.spawn("all")
	w.settle()
	load := w.work(n, 2, func(s *client) error {
		from := s.rng.IntN(200_000)
		switch s.rng.IntN(12) {
		case 0, 1, 2:
			return s.exec(`insert into heap select i, repeat('large ', 10), i from generate_series($1::int, $1::int + 40000) i
				on conflict (id) do update set n = heap.n + 1`, from)
		case 3:
			return s.exec(`update heap set n = n + 1, v = v || 'x' where id between $1 and $1 + 40000`, from)
		case 4:
			return s.exec(`delete from heap where id between $1 and $1 + 30000`, from)
		case 5:
			return s.exec(`insert into copies select i % 5, repeat('large ', 10) from generate_series(1, 40000 + $1::int % 2) i`, from)
		case 6:
			return s.exec(`truncate copies`)
		case 7:
			name := fmt.Sprintf("new_%d", s.rng.IntN(5))
			if s.rng.IntN(2) == 0 {
				return s.exec(`drop table if exists ` + name)
			}
			if err := s.exec(`create table if not exists ` + name + ` (id int primary key, v text)`); err != nil {
				return err
			}
			return s.exec(`insert into `+name+` select i, repeat('large ', 10) from generate_series($1::int, $1::int + 40000) i on conflict do nothing`, from)
		}
		return randomStep(s)
	})
	for round := range rounds(t, 8, 4) {
		time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
		what := ""
		end := func(url, name string) {
			what = name + " loses its connection"
			tryQuery(t.Context(), url, fmt.Sprintf(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = '%s'`, name))
		}
		i := rng.IntN(len(w.replicas))
		switch rng.IntN(8) {
		case 0, 1:
			what = "the bridge is killed"
			bridge.kill()
			w.again(bridge)
		case 2:
			end(w.master.URL("app"), "bridge tap")
		case 3, 4:
			end(w.master.URL("app"), "bridge log")
		case 5:
			what = fmt.Sprintf("applier %d loses its connection", i+1)
			tryQuery(t.Context(), w.replicas[i].URL("app"), `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'bridge%'`)
		case 6:
			what = fmt.Sprintf("replica %d is %s", i+1, w.end(w.replicas[i], rng.IntN(3)))
			w.begin(w.replicas[i])
		default:
			what = "the master is " + w.end(w.master, rng.IntN(3))
			w.begin(w.master)
		}
		t.Logf("round %d: %s", round+1, what)
	}
	w.finish(load)
}
