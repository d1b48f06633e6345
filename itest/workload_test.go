package itest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// seedVariable repeats a random test; how sessions interleave is up to the machine.
const seedVariable = "ITEST_SEED"

// seed is the test's seed: the environment's, or a new one. It is printed either way.
func seed(t testing.TB) uint64 {
	t.Helper()
	n := rand.Uint64N(1 << 32)
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s=%q: %v", seedVariable, text, err)
		}
	}
	t.Logf("%s=%d", seedVariable, n)
	return n
}

// workloadTables are the tables that a workload writes to: one of each kind that is
// replicated in a way of its own.
const workloadTables = `
	create table ints (id int primary key, n int, note text, code int unique);
	create table words (word text primary key, amount numeric, at timestamptz, "odd name" text[]);
	create table pairs (x int, y text, v jsonb, primary key (y, x));
	create table bag (k int, v text, f float8);
	create table documents (id int primary key, title text, body text, extra bytea);
	alter table documents alter body set storage external, alter extra set storage external;
	create table wide_keys (k text primary key, v int);
	alter table wide_keys alter k set storage external;
	create table ranks (id int primary key, rank int unique deferrable initially deferred);
	create table slots (id int primary key, place int unique);
	create table parents (id int primary key, name text);
	create table children (id int primary key, parent int references parents on update cascade on delete cascade, v text);
	create table numbered (id bigint generated always as identity primary key, v text, twice text generated always as (v || v) stored);
	create table stamped (id int primary key, n bigint generated always as identity, v text);
	create table whole (a int, b text);
	alter table whole replica identity full;
	create table whole_keyed (id int primary key, n int, long text);
	alter table whole_keyed replica identity full, alter long set storage external;
	create table other_key (id int primary key, code text not null unique, long text);
	alter table other_key replica identity using index other_key_code_key, alter long set storage external;
	create table regions (region int, id int, v text, primary key (region, id)) partition by list (region);
	create table regions_1 partition of regions for values in (1);
	create table regions_2 partition of regions for values in (2);
	create table regions_3 partition of regions default;`

// workload is random work of several sessions until it is stopped. What the server
// refuses is rolled back; a lost connection is opened again.
type workload struct {
	t      testing.TB
	cancel context.CancelFunc
	wait   sync.WaitGroup

	commits, rollbacks, breaks atomic.Int64
	unexpected                 atomic.Pointer[error]
}

// work starts the sessions. Each does statements drawn by its own random numbers.
func (w *world) work(seed uint64, sessions int, step func(*client) error) *workload {
	ctx, cancel := context.WithCancel(context.Background())
	l := &workload{t: w.t, cancel: cancel}
	for n := range sessions {
		s := &client{
			ctx: ctx, url: w.master.URL("app"), load: l,
			rng: rand.New(rand.NewPCG(seed, uint64(n))), step: step,
			async: n%3 == 2,
		}
		l.wait.Go(s.run)
	}
	w.t.Cleanup(func() { cancel(); l.wait.Wait() })
	return l
}

// stop ends the work; what is committed by then is what counts.
func (l *workload) stop() {
	l.t.Helper()
	l.cancel()
	l.wait.Wait()
	l.t.Logf("workload: %d commits, %d rollbacks, %d lost connections", l.commits.Load(), l.rollbacks.Load(), l.breaks.Load())
	if err := l.unexpected.Load(); err != nil {
		l.t.Errorf("workload: %v", *err)
	}
	if l.commits.Load() == 0 {
		l.t.Errorf("workload: nothing was committed")
	}
}

// client is one client of the master.
type client struct {
	ctx   context.Context
	url   string
	load  *workload
	rng   *rand.Rand
	step  func(*client) error
	async bool // commits without waiting for the disk

	conn *pgx.Conn
	tx   pgx.Tx
}

func (s *client) run() {
	for s.ctx.Err() == nil {
		if err := s.connected(); err != nil && s.ctx.Err() == nil {
			s.load.breaks.Add(1)
			select {
			case <-s.ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

// connected works until the connection breaks.
func (s *client) connected() error {
	conn, err := pgx.Connect(s.ctx, s.url)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	s.conn = conn
	if s.async {
		if _, err := conn.Exec(s.ctx, "set synchronous_commit = off"); err != nil {
			return err
		}
	}
	for {
		if err := s.transaction(); err != nil && (s.ctx.Err() != nil || conn.IsClosed() || !s.refused(err)) {
			return err
		}
	}
}

// refused says whether the server turned the statement down for a reason that random
// work gives it: another reason is an error of the test, or of the bridge.
func (s *client) refused(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch pg.Code[:2] {
	case "23", "40", "57", "22": // constraints, deadlocks, shutdown, values
		return true
	}
	switch pg.Code {
	case "55P03", "0A000", "42701", "42703", "42P01", "42P07", "55006", "42P16", "42704", "XX000": // of DDL that meets DDL
		return true
	}
	err = fmt.Errorf("%w (%s)", err, pg.Code)
	s.load.unexpected.CompareAndSwap(nil, &err)
	return true
}

// transaction is one transaction of one or more steps, savepoints among them.
func (s *client) transaction() error {
	tx, err := s.conn.Begin(s.ctx)
	if err != nil {
		return err
	}
	s.tx = tx
	defer tx.Rollback(context.Background()) // does nothing after the commit
	if err := s.steps(1+s.rng.IntN(4), 0); err != nil {
		s.load.rollbacks.Add(1)
		return err
	}
	if s.rng.IntN(12) == 0 {
		s.load.rollbacks.Add(1)
		return tx.Rollback(s.ctx)
	}
	if err := tx.Commit(s.ctx); err != nil {
		if errors.Is(err, pgx.ErrTxCommitRollback) {
			return nil
		}
		return err
	}
	s.load.commits.Add(1)
	return nil
}

// steps does so many steps, some of them in savepoints that may be rolled back.
func (s *client) steps(n, depth int) error {
	for range n {
		if depth >= 3 || s.rng.IntN(4) > 0 {
			if err := s.step(s); err != nil {
				return err
			}
			continue
		}
		outer := s.tx
		inner, err := outer.Begin(s.ctx)
		if err != nil {
			return err
		}
		s.tx = inner
		err = s.steps(1+s.rng.IntN(3), depth+1)
		s.tx = outer
		switch {
		case s.ctx.Err() != nil || s.conn.IsClosed():
			return err
		case err != nil || s.rng.IntN(3) == 0:
			if err != nil && !s.refused(err) {
				return err
			}
			if err := inner.Rollback(s.ctx); err != nil {
				return err
			}
		default:
			if err := inner.Commit(s.ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// exec runs a statement, prepared or with its values in it.
func (s *client) exec(sql string, args ...any) error {
	if s.rng.IntN(4) == 0 {
		args = append([]any{pgx.QueryExecModeSimpleProtocol}, args...)
	}
	_, err := s.tx.Exec(s.ctx, sql, args...)
	return err
}

func (s *client) id() int { return s.rng.IntN(400) }

// text is a string with what escaping may stumble over.
func (s *client) text(most int) *string {
	switch s.rng.IntN(12) {
	case 0:
		return nil
	case 1:
		return new(string)
	}
	pieces := []string{"a", "Z", " ", "'", `"`, `\`, "\n", "\t", ",", "{", "}", "(", ")", "ä", "漢", "😀", "NULL", `\N`, "$1", "\r", "--", "%s"}
	var b strings.Builder
	for range s.rng.IntN(most) + 1 {
		b.WriteString(pieces[s.rng.IntN(len(pieces))])
	}
	text := b.String()
	return &text
}

// some is a condition on an integer column that holds for a few rows.
func (s *client) some(column string) string {
	from := s.id()
	return fmt.Sprintf("%s between %d and %d", column, from, from+s.rng.IntN(6))
}

// randomStep changes something in one of the workload's tables.
func randomStep(s *client) error {
	switch s.rng.IntN(37) {
	case 0, 1:
		return s.exec(`insert into ints values ($1, $2, $3, $4) on conflict (id) do update set n = excluded.n, note = excluded.note`,
			s.id(), s.id(), s.text(20), s.rng.IntN(100_000))
	case 2:
		return s.exec(`update ints set n = coalesce(n, 0) + 1, code = code + $1 where `+s.some("id"), s.rng.IntN(3))
	case 3:
		return s.exec(`update ints set id = id + $1 where `+s.some("id"), s.rng.IntN(400)-200)
	case 4:
		return s.exec(`delete from ints where ` + s.some("id"))
	case 5:
		return s.exec(`insert into words values ($1, $2::text::numeric, now(), $3) on conflict (word) do update set amount = words.amount + 1`,
			s.word(), []string{"1.0", "1.00", "-0.5", "NaN", "12345678901234567890.123"}[s.rng.IntN(5)], []*string{s.text(3), s.text(3)})
	case 6:
		return s.exec(`update words set word = $1 where word = $2`, s.word(), s.word())
	case 7:
		return s.exec(`delete from words where word >= $1 and word < $1 || 'b'`, s.word())
	case 8:
		return s.exec(`insert into pairs values ($1, $2, jsonb_build_object('v', $3::text)) on conflict (x, y) do update set v = excluded.v`, s.id()%30, s.word(), s.text(9))
	case 9:
		return s.exec(`update pairs set x = x + 1 where x = $1`, s.id()%30)
	case 10:
		return s.exec(`delete from pairs where x = $1`, s.id()%30)
	case 11, 12:
		return s.exec(`insert into bag select $1, $2, $3 from generate_series(1, $4)`, s.id()%50, s.text(4), float64(s.rng.IntN(8))/7, 1+s.rng.IntN(5))
	case 13:
		return s.exec(`update bag set f = -f where k = $1`, s.id()%50)
	case 14:
		return s.exec(`delete from bag where k = $1`, s.id()%50)
	case 15, 16:
		return s.exec(`insert into documents values ($1, $2, repeat($3, $4), decode(md5($3), 'hex')) on conflict (id) do update set body = excluded.body`,
			s.id(), s.text(9), "long "+strconv.Itoa(s.id()), 10+s.rng.IntN(2000))
	case 17:
		// The long value is not in the log.
		return s.exec(`update documents set title = $1 where `+s.some("id"), s.text(9))
	case 18:
		return s.exec(`update documents set id = id + 1000 - 2 * (id / 1000) * 1000 where ` + s.some("id % 1000"))
	case 19:
		return s.exec(`delete from documents where ` + s.some("id % 1000"))
	case 20:
		return s.exec(`insert into wide_keys values (repeat($1, 800), 0) on conflict (k) do update set v = wide_keys.v + 1`, s.word())
	case 21:
		return s.exec(`update wide_keys set v = v + 1, k = case when v % 3 = 0 then k || 'x' else k end where k like $1 || '%' and length(k) < 2600`, s.word())
	case 22:
		if s.rng.IntN(2) == 0 {
			return s.exec(`insert into ranks values ($1, $1) on conflict (id) do nothing`, s.id()%60)
		}
		return s.exec(`update ranks set rank = (select max(rank) + min(rank) from ranks) - rank`)
	case 23:
		// Two rows change places by way of a third place: only the end is unique at a time.
		if s.rng.IntN(2) == 0 {
			return s.exec(`insert into slots select i, i from generate_series(1, 20) i on conflict do nothing`)
		}
		a, b := s.rng.IntN(20)+1, s.rng.IntN(20)+1
		for _, move := range []string{`-1 where place = %[1]d`, `%[1]d where place = %[2]d`, `%[2]d where place = -1`} {
			if err := s.exec(fmt.Sprintf(`update slots set place = `+move, a, b)); err != nil {
				return err
			}
		}
		return nil
	case 24:
		return s.exec(`insert into parents values ($1, $2) on conflict do nothing`, s.id()%60, s.text(5))
	case 25:
		return s.exec(`insert into children select $1, id, $2 from parents order by id offset $3 limit 1 on conflict (id) do update set parent = excluded.parent`, s.id(), s.text(5), s.id()%60)
	case 26:
		return s.exec([]string{`update parents set id = id + 60 where id = $1`, `delete from parents where id = $1`, `update parents set id = id - 60 where id = $1 + 60`}[s.rng.IntN(3)], s.id()%60)
	case 27:
		if s.rng.IntN(2) == 0 {
			return s.exec(`insert into numbered (v) select $1 || i from generate_series(1, 3) i`, s.text(5))
		}
		return s.exec([]string{`update numbered set v = v || '.' where id % 40 = $1`, `delete from numbered where id % 40 = $1`}[s.rng.IntN(2)], s.id()%40)
	case 28:
		if s.rng.IntN(2) == 0 {
			return s.exec(`insert into stamped (id, v) values ($1, $2) on conflict (id) do update set v = excluded.v`, s.id()%60, s.text(3))
		}
		return s.exec([]string{`update stamped set v = v || '.' where id = $1`, `delete from stamped where id = $1`, `update stamped set id = id + 60 where id = $1`}[s.rng.IntN(3)], s.id()%60)
	case 29:
		return s.exec([]string{`insert into whole select i, i from generate_series($1::int, $1::int + 3) i`, `update whole set b = b || 'x' where a = $1`, `delete from whole where a = $1`}[s.rng.IntN(3)], s.id()%60)
	case 30:
		return s.exec([]string{
			`insert into whole_keyed select i, i, repeat('l', i * 100) from generate_series($1::int, $1::int + 3) i on conflict (id) do update set long = excluded.long || 'x'`,
			`update whole_keyed set n = n + 1 where id between $1 and $1 + 2`,
			`update whole_keyed set id = id + 100 - 200 * (id / 100) where id = $1`,
			`delete from whole_keyed where id = $1`,
		}[s.rng.IntN(4)], s.id()%60)
	case 31:
		return s.exec([]string{
			`insert into other_key select i, 'c' || i, repeat('l', i * 100) from generate_series($1::int, $1::int + 3) i on conflict do nothing`,
			`update other_key set id = -id where id between $1 and $1 + 2`,
			`update other_key set code = code || '!' where abs(id) = $1`,
			`delete from other_key where abs(id) = $1`,
		}[s.rng.IntN(4)], s.id()%60)
	case 32:
		return s.exec([]string{
			`insert into regions select $1, i, 'r' from generate_series($2::int, $2::int + 5) i on conflict do nothing`,
			`update regions set region = region % 4 + 1 where region = $1 and id between $2 and $2 + 3`,
			`update regions set v = v || 'x' where region = $1 and id = $2`,
			`delete from regions where region = $1 and id between $2 and $2 + 3`,
		}[s.rng.IntN(4)], 1+s.rng.IntN(4), s.id())
	case 33:
		return s.large()
	case 34:
		if s.rng.IntN(8) > 0 {
			return nil
		}
		return s.exec([]string{`truncate bag`, `truncate documents, words`, `truncate parents cascade`, `truncate regions restart identity`,
			`truncate numbered restart identity`, `truncate regions_1, ints`}[s.rng.IntN(6)])
	case 35:
		return s.exec(`select pg_logical_emit_message($1, 'someone', 'else')`, s.rng.IntN(2) == 0)
	}
	time.Sleep(time.Duration(s.rng.IntN(20)) * time.Millisecond) // a transaction that stays open for a while
	return nil
}

func (s *client) word() string { return fmt.Sprintf("w%c%c", 'a'+s.rng.IntN(8), 'a'+s.rng.IntN(8)) }

// large changes some thousand rows at once.
func (s *client) large() error {
	switch s.rng.IntN(7) {
	case 0:
		return s.exec(`insert into bag select i % 50, 'large', i from generate_series(1, $1) i`, 500+s.rng.IntN(3000))
	case 1:
		return s.exec(`delete from bag where v = 'large'`)
	case 2:
		return s.exec(`insert into ints select i, i, repeat('n', i % 30), null from generate_series($1::int, $1::int + $2) i on conflict (id) do update set n = excluded.n`, 1000+s.rng.IntN(1000), 500+s.rng.IntN(3000))
	case 3:
		return s.exec(`update ints set n = n + 1 where id >= 1000`)
	case 4:
		return s.exec(`delete from ints where id >= $1`, 1000+s.rng.IntN(3000))
	case 5:
		return s.exec(`update documents set title = 'all'`)
	}
	return s.exec(`update documents set body = body || 'x'`)
}

// An update that brings its old row along without changing the key (REPLICA IDENTITY
// FULL, or a key that is stored out of line) was once merged into that old row.
func TestUpdateThatBringsItsOldRowAlong(t *testing.T) {
	w := newWorld(t, 0, 0, 1)
	w.onMaster(workloadTables + `
		insert into whole_keyed select i, i, repeat('l', 4000) from generate_series(1, 9) i;
		insert into wide_keys select repeat(chr(96 + i), 2400), i from generate_series(1, 9) i;
		insert into other_key select i, 'c' || i, repeat('l', 4000) from generate_series(1, 9) i`)
	w.init()
	w.run()
	w.wait()
	w.onMaster(`update whole_keyed set n = n + 100; update wide_keys set v = v + 100; update other_key set id = -id`)
	w.wait()
	w.same()
}
