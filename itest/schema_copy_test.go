package itest

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5"

	pgbridge "github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/config"
	"github.com/pgbridge/pgbridge/sink"
	"github.com/pgbridge/pgbridge/sink/postgres"
)

// tinyApplier is the applier of replica r1 with chunks of a few rows.
func tinyApplier(c *config.Config, log *slog.Logger) (*sink.Applier, error) {
	return applierWith(c, log, postgres.Options{ChunkBytes: 4 << 10, ChunkRows: 20})
}

// applierWith is the applier of replica r1 with options of its own.
func applierWith(c *config.Config, log *slog.Logger, o postgres.Options) (*sink.Applier, error) {
	master, err := pgx.ParseConfig(string(c.Master.URL))
	if err != nil {
		return nil, err
	}
	replica, err := pgx.ParseConfig(string(c.Replicas[0].URL))
	if err != nil {
		return nil, err
	}
	master.RuntimeParams["search_path"], replica.RuntimeParams["search_path"] = "", ""
	o.Name, o.Config, o.Master, o.Publication, o.Log = "r1", replica, master, c.Master.Publication, log
	return &sink.Applier{
		Name: "r1", Kind: "postgres", Log: log,
		Target: postgres.New(o),
		Limits: sink.Limits{Blocks: c.Window.Transactions, Bytes: c.Window.Bytes},
		Master: func(ctx context.Context) (*pgx.Conn, error) { return pgx.ConnectConfig(ctx, master) },
	}, nil
}

// runTiny runs it.
func (w *world) runTiny() *running {
	return w.runApplier(tinyApplier(w.config, w.bridge().Log))
}

func (w *world) runApplier(a *sink.Applier, err error) *running {
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- a.Run(ctx) }()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs = append(w.runs, r)
	return r
}

// chunks is how many chunks of a table are copied; ended says that there are no more.
func (w *world) chunks(table string) (copied int, ended bool) {
	rows, err := tryQuery(w.t.Context(), w.replicas[0].URL("app"), `
		select (select count(snapshot) from bridge.copy_chunk join bridge.copy_table using (relid) where table_name = '`+table+`'),
			coalesce((select state <> 'copying' from bridge.position), false)`)
	if err != nil || len(rows) == 0 {
		return 0, false
	}
	var flag string
	if _, err := fmt.Sscanf(rows[0], "%d|%s", &copied, &flag); err != nil {
		w.t.Fatalf("%q: %v", rows[0], err)
	}
	return copied, flag == "t"
}

// Rows are changed while some chunks of their table are copied and others are not: the
// table is locked, so that the copy stands between two chunks meanwhile.
func TestRowsThatChangeBetweenChunks(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`
		create table t (id int primary key, v text, long text, n int generated always as identity);
		alter table t alter long set storage external;
		insert into t select i, 'v' || i, repeat('long' || i, 800) from generate_series(1, 1500) i;
		create table two (b text, a int, long text, primary key (b, a));
		alter table two alter long set storage external;
		insert into two select 'k\''' || i % 10, i, repeat('long' || i, 800) from generate_series(1, 800) i;
		create table whole (id int primary key, v text, long text); alter table whole replica identity full, alter long set storage external;
		insert into whole select i, 'v' || i, repeat('long' || i, 800) from generate_series(1, 800) i;
		create table generated (a int, g int generated always as (a * 2) stored, v text, primary key (a, g));
		insert into generated (a, v) select i, 'v' from generate_series(1, 800) i;
		create table emptied (id int primary key, v text); insert into emptied select i, repeat('v', 100) from generate_series(1, 1500) i;
		create table bag (v int, long text); insert into bag select i % 7, repeat('x', 200) from generate_series(1, 800) i;
		analyze`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	replica := w.runTiny()
	seen := 0
	for round := 1; round <= 8; round++ {
		var ended bool
		w.eventually("chunks are copied", func() bool {
			n, done := w.chunks("t")
			enough := n > seen
			if enough {
				seen = n + 2
			}
			ended = done
			return enough || done
		})
		if ended && round == 1 {
			t.Fatal("the copy ended before anything could happen")
		}
		r := round * 10
		w.onMaster(fmt.Sprintf(`begin; lock table t, two, whole, generated, emptied, bag in access exclusive mode;
			-- from behind to the front, and the other way round, without their long value
			update t set id = -id where id between 1500 - %[1]d and 1505 - %[1]d;
			update t set id = id + 10000, v = 'moved' where id between %[1]d and %[1]d + 3;
			update t set v = v || '!' where id %% 100 = %[2]d;
			delete from t where id %% 200 = %[1]d;
			insert into t (id, v, long) select 20000 + %[1]d, 'new', repeat('z', 3000);
			update t set id = 1400 - %[1]d where id = 20000 + %[1]d and not exists (select from t where id = 1400 - %[1]d);
			update two set a = -a where a between 800 - %[1]d and 805 - %[1]d; update two set b = 'zz' where a between %[1]d and %[1]d + 3; delete from two where a %% 100 = %[2]d;
			update whole set id = -id where id between 800 - %[1]d and 805 - %[1]d; update whole set v = '!' where id %% 50 = %[2]d; delete from whole where id %% 100 = %[2]d;
			update generated set a = -a where a between 800 - %[1]d and 805 - %[1]d; update generated set v = v || '!' where a %% 50 = %[2]d; delete from generated where a %% 100 = %[2]d;
			update emptied set v = 'x' where id %% 50 = %[2]d; delete from emptied where id %% 100 = %[2]d;
			update bag set v = v + 1 where v = %[2]d %% 7; delete from bag where ctid = (select ctid from bag limit 1); insert into bag values (100, null);
			commit`, r, round))
		w.onMaster(fmt.Sprintf(`update t set id = id - 5000, v = 'and again' where id between 10000 + %[1]d and 10000 + %[1]d + 3; delete from t where id = 5000 + %[1]d`, r))
		switch round {
		case 2:
			w.exec(w.replicas[0].URL("postgres"), `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'bridge%'`)
		case 4:
			w.onMaster(`truncate emptied; insert into emptied select i, 'after' from generate_series(1, 3000, 3) i`)
			replica.stop()
			replica = w.runTiny()
		case 5:
			w.exec(w.master.URL("postgres"), `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'bridge copy%'`)
		case 6:
			w.onMaster(`update emptied set id = id + 1 where id > 100`)
		}
	}
	w.wait()
	w.same()
}

// Everything at once while tiny chunks are copied, which is broken off again and again.
func TestCopyOfTinyChunksUnderLoad(t *testing.T) {
	n := seed(t)
	rng := rand.New(rand.NewPCG(n, 1))
	w := newWorld(t, 0, 0, 1)
	w.onMaster(workloadTables + `
		insert into ints select i, i, repeat('n', 100), null from generate_series(1, 2000) i;
		insert into words select md5(i::text), i, now(), null from generate_series(1, 500) i;
		insert into pairs select i % 30, md5(i::text), '{}' from generate_series(1, 1000) i;
		insert into documents select i, 't', repeat('body', 700 + i), 'x' from generate_series(0, 399) i;
		insert into wide_keys select repeat(md5(i::text), 40), 0 from generate_series(1, 200) i;
		insert into whole_keyed select i, i, repeat('l', 3000) from generate_series(0, 160) i;
		insert into other_key select i, 'c' || i, repeat('l', 3000) from generate_series(0, 100) i;
		insert into regions select 1 + i % 4, i, 'r' from generate_series(1, 2000) i;
		insert into stamped (id, v) select i, 's' from generate_series(1, 120) i;
		analyze`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	load := w.work(n, 3, randomStep)
	replica := w.runTiny()
	for round := range 4 {
		target := round*20 + rng.IntN(20) + 1
		w.eventually("chunks are copied", func() bool {
			copied, ended := w.chunks("ints")
			return ended || copied >= target
		})
		switch rng.IntN(3) {
		case 0:
			replica.stop()
			replica = w.runTiny()
		case 1:
			w.exec(w.replicas[0].URL("postgres"), `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'bridge%'`)
		case 2:
			w.exec(w.master.URL("postgres"), `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'bridge copy%'`)
		}
	}
	w.eventually("the rows are copied", func() bool { _, ended := w.chunks("ints"); return ended })
	load.stop()
	w.wait()
	w.same()
}

// A snapshot that is older than a TRUNCATE finds the table empty, although it does not
// see the transaction that emptied it: chunks take their lock first.
func TestTruncateWhileAChunkWaits(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(`create table large (id int primary key, v text); insert into large select i, repeat('v', 100) from generate_series(1, 1500) i;
		create table e (id int, v text); insert into e select i, 'v' from generate_series(1, 10) i; analyze`)
	w.init()
	w.run(pgbridge.Role{Tap: true})
	w.runTiny()
	w.eventually("chunks are copied", func() bool { n, _ := w.chunks("large"); return n > 1 })
	conn, err := pgx.Connect(t.Context(), w.master.URL("app"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	run := func(sql string) {
		if _, err := conn.Exec(t.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", abbreviate(sql), err)
		}
	}
	run(`begin; lock table e in access exclusive mode`)
	w.eventually("a chunk waits", func() bool {
		return w.query(w.master.URL("app"), `select count(*) > 0 from pg_stat_activity where application_name like 'bridge copy%' and wait_event_type = 'Lock' and query ~ '^(copy|lock)'`)[0] == "t"
	})
	run(`update e set v = 'w' where id > 5; truncate e; insert into e values (1, 'x'); commit`)
	w.wait()
	w.same()
}
