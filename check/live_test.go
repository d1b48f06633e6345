package check

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

// link applies on the replica what was committed on the master, transaction by transaction, some time later.
type link struct {
	queue chan string // its room bounds how far the replica falls behind

	mu        sync.Mutex // held during a commit on the master, so that what shows has its number
	committed int

	applyMu sync.Mutex
	moved   *sync.Cond
	applied int
	failed  error
}

func newLink() *link {
	l := &link{queue: make(chan string, 50)}
	l.moved = sync.NewCond(&l.applyMu)
	return l
}

func (l *link) commit(ctx context.Context, master *pgx.Conn, sql string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := master.PgConn().Exec(ctx, sql).Close(); err != nil {
		return err
	}
	l.committed++
	l.queue <- sql
	return nil
}

// apply ends when the queue is closed.
func (l *link) apply(ctx context.Context, replica *pgx.Conn, delay func() time.Duration) {
	for sql := range l.queue {
		time.Sleep(delay())
		err := replica.PgConn().Exec(ctx, sql).Close()
		l.applyMu.Lock()
		l.applied++
		if l.failed == nil {
			l.failed = err
		}
		l.moved.Broadcast()
		l.applyMu.Unlock()
	}
}

func (l *link) catchUp(context.Context) error {
	l.mu.Lock()
	target := l.committed
	l.mu.Unlock()
	l.applyMu.Lock()
	defer l.applyMu.Unlock()
	for l.applied < target && l.failed == nil {
		l.moved.Wait()
	}
	return l.failed
}

// Rows 1 to 100 are hot: 1 counts every transaction, 2 is switched to and fro, -1 comes and goes. Rows above 1000 are
// left alone.
func transaction(rnd *rand.Rand, n int) string {
	var b strings.Builder
	b.WriteString("begin;\n")
	fmt.Fprintf(&b, "update t set n = n + 1 where id = 1;\n")
	fmt.Fprintf(&b, "update t set v = case v when 'on' then 'off' else 'on' end where id = 2;\n")
	if n%2 == 0 {
		b.WriteString("insert into t values (-1, 'here', 0);\ninsert into bag values ('comes and goes', 0);\n")
	} else {
		b.WriteString("delete from t where id = -1;\ndelete from bag where v = 'comes and goes';\n")
	}
	for range rnd.IntN(10) {
		id := 3 + rnd.IntN(998)
		switch rnd.IntN(3) {
		case 0:
			fmt.Fprintf(&b, "update t set v = 'v%d', n = n + %d where id = %d;\n", rnd.IntN(100), rnd.IntN(3), id)
		case 1:
			fmt.Fprintf(&b, "delete from t where id = %d;\n", id)
		default:
			fmt.Fprintf(&b, "insert into t values (%d, 'new', %d) on conflict do nothing;\n", id, rnd.IntN(5))
		}
		fmt.Fprintf(&b, "insert into bag values ('v%d', 1);\n", rnd.IntN(50))
		fmt.Fprintf(&b, "delete from bag where ctid = (select min(ctid) from bag where v = 'v%d');\n", rnd.IntN(50))
	}
	b.WriteString("commit;")
	return b.String()
}

func TestBusyTablesShowOnlyRealDifferences(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	p := newPair(t, pgtest.DB(t), pgtest.DB(t))
	p.both(t, `
		create table t (id int primary key, v text, n int);
		insert into t select i, 'off', 0 from generate_series(1, 20000) i;
		create table bag (v text, n int);
		alter table bag replica identity full;
		insert into bag select 'v' || i % 50, 1 from generate_series(1, 500) i;
		insert into bag values ('quiet', 1), ('quiet', 1)`)

	link := newLink()
	var wg sync.WaitGroup
	stop := make(chan struct{})
	defer func() {
		close(stop)
		wg.Wait()
	}()
	writer, applier := p.onMaster, p.onReplica
	wg.Go(func() {
		defer close(link.queue)
		rnd := rand.New(rand.NewPCG(seed, 1))
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(rnd.IntN(4)) * time.Millisecond):
			}
			if err := link.commit(context.Background(), writer, transaction(rnd, n)); err != nil {
				t.Errorf("write: %v", err)
				return
			}
		}
	})
	wg.Go(func() {
		rnd := rand.New(rand.NewPCG(seed, 2))
		link.apply(context.Background(), applier, func() time.Duration {
			if rnd.IntN(50) == 0 {
				return 100 * time.Millisecond
			}
			return time.Duration(rnd.IntN(2)) * time.Millisecond
		})
	})

	opt := Options{CatchUp: link.catchUp}
	check := func(want map[string][]string) {
		t.Helper()
		for _, name := range []string{"t", "bag"} {
			result := p.check(t, name, opt)
			got := texts(result)
			slices.Sort(got)
			if !slices.Equal(got, want[name]) || !(Result{Unsettled: result.Unsettled}).Equal() {
				t.Errorf("%s: got %v, unsettled %v, want %v", name, got, result.Unsettled, want[name])
			}
		}
	}
	for range 3 {
		check(nil)
	}
	behind := connect(t, applier.Config().ConnString())
	run(t, behind, `update t set v = 'behind the back' where id = 15000; delete from t where id = 15001;
		insert into t values (30000, 'extra', 0); delete from bag where ctid = (select min(ctid) from bag where v = 'quiet')`)
	for range 2 {
		check(map[string][]string{
			"t": {
				"public.t: id=15000 differs in v: 'off' on master, 'behind the back' on replica",
				"public.t: id=15001 missing on replica: (15001,off,0)",
				"public.t: id=30000 only on replica: (30000,extra,0)",
			},
			"bag": {"public.bag: (quiet,1) differs: 2× on master, 1× on replica"},
		})
	}
}

// The master's column is dropped after the table was listed, and its replica follows later.
func TestASchemaChangeUnderWayIsNoDifference(t *testing.T) {
	p := newPair(t, pgtest.DB(t), pgtest.DB(t))
	p.both(t, `create table t (id int primary key, a int, b int); insert into t select i, i, i from generate_series(1, 1000) i`)
	table := p.table(t, "t")
	link := newLink()
	if err := link.commit(t.Context(), p.onMaster, `alter table t drop column a`); err != nil {
		t.Fatal(err)
	}
	first := true
	opt := Options{CatchUp: func(ctx context.Context) error {
		err := link.catchUp(ctx)
		if first { // committed after the columns were looked at
			first = false
			return link.commit(ctx, p.onMaster, `alter table t rename b to c`)
		}
		return err
	}}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(link.queue)
	wg.Go(func() {
		link.apply(context.Background(), p.onReplica, func() time.Duration { return 50 * time.Millisecond })
	})
	result, err := Data(t.Context(), p.master, p.replica, table, opt)
	if err != nil {
		t.Fatal(err)
	}
	wantDifferences(t, result)
}
