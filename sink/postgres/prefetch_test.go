package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
	"github.com/pgbridge/pgbridge/sink"
)

// prefetchWorld is a target whose tables are made by hand, and another connection.
type prefetchWorld struct {
	*testing.T
	target *Target
	other  *pgx.Conn
	run    *run
}

func newPrefetchWorld(t *testing.T) *prefetchWorld {
	t.Helper()
	config, err := pgx.ParseConfig(pgtest.DB(t))
	if err != nil {
		t.Fatal(err)
	}
	w := &prefetchWorld{T: t, target: New(Options{Name: "r", Config: config, Prefetchers: 1, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))})}
	w.target.clear()
	if w.target.conn, err = w.target.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.target.Close)
	if w.other, err = pgx.Connect(t.Context(), config.ConnString()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.other.Close(context.Background()) })
	large := &sink.Window{Parts: func(context.Context, func([]byte) error) error { return nil }}
	w.run = w.target.begin(t.Context(), false, false)
	w.target.pace.took(paceWithout, time.Hour, 1)
	w.run.beginPrefetch(large)
	if w.target.prefetching == nil {
		t.Fatal("nothing is read ahead")
	}
	return w
}

func (w *prefetchWorld) do(sql string) {
	w.Helper()
	if _, err := w.other.Exec(w.Context(), sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		w.Fatalf("%s: %v", sql, err)
	}
}

// changed is a batch that changes all rows of the table, whose key are the first so many columns.
func (w *prefetchWorld) changed(name string, keys int) *batch {
	w.Helper()
	rel := &change.Relation{Schema: "public", Name: name, Identity: "d"}
	rows, err := w.target.conn.Query(w.Context(), "select * from public."+name, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		w.Fatal(err)
	}
	b := &batch{}
	for rows.Next() {
		var row change.Tuple
		for _, value := range rows.RawValues() {
			row = append(row, change.Value{Kind: change.Text, Data: append([]byte(nil), value...)})
		}
		b.entries = append(b.entries, entry{had: true, now: true, row: row})
	}
	for i, f := range rows.FieldDescriptions() {
		rel.Columns = append(rel.Columns, change.Column{Name: f.Name, Type: f.DataTypeOID, Typmod: f.TypeModifier, Key: i < keys})
	}
	if rows.Err() != nil {
		w.Fatal(rows.Err())
	}
	if b.tbl, err = w.target.lookUp(w.Context(), rel, "public."+name, nil); err != nil {
		w.Fatal(err)
	}
	return b
}

// finds waits until so many rows more have been read than when it began.
func (w *prefetchWorld) finds(what string, rows int64, do func()) {
	w.Helper()
	p := w.target.prefetching
	before := p.found.Load()
	do()
	for deadline := time.Now().Add(30 * time.Second); p.found.Load() < before+rows; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("%s: %d rows were read, want %d", what, p.found.Load()-before, rows)
		}
	}
}

func TestPrefetchFindsKeysOfEveryType(t *testing.T) {
	w := newPrefetchWorld(t)
	w.do(`create type mood as enum ('sad', 'ok', 'm''e,"'); create type pair as (a int, b text); create domain dom as text check (value <> ''); create domain whole as int`)
	for n, c := range []struct {
		key  string // definitions
		rows string // of the columns, by i
	}{
		{"k int2", "i"}, {"k int4", "i"}, {"k int8", "i * 10000000000"}, {"k text", `'x"\,{}'' ' || i`}, {"k varchar(30)", "'v' || i"}, {"k char(9)", "'c' || i"},
		{`k text collate "C"`, "'c' || i"}, {"k name", "('n' || i)::name"}, {"k numeric(20, 5)", "i / 7.0"}, {"k float8", "i / 7.0"}, {"k float4", "i / 7.0"},
		{"k uuid", "pg_catalog.gen_random_uuid()"}, {"k bytea", "pg_catalog.decode(pg_catalog.md5(i::text), 'hex')"}, {"k date", "current_date + i"},
		{"k timestamptz", "now() + i * interval '1.5 s'"}, {"k timestamp", "now()::timestamp + i * interval '1 s'"}, {"k interval", "i * interval '1 day 1 s'"},
		{"k inet", "'10.0.0.0'::inet + i"}, {"k dom", "('d' || i)::dom"}, {"k whole", "i"}, {"k int[]", "array[i, null, i]"}, {"k pair", "row(i, 'x')::pair"},
		{"k jsonb", "pg_catalog.jsonb_build_object('i', i)"}, {"k int4range", "int4range(i, i + 5)"}, {"a int, b text", "i, 'b' || i"}, {"a text, b int[]", "'a' || i, array[i]"},
		{`"K k" int`, "i"}, {"a mood, k int", "'m''e,\"', i"},
	} {
		columns := strings.Count(c.key, ", ") + 1
		if strings.Contains(c.key, "numeric") {
			columns = 1
		}
		var names []string
		for _, d := range strings.SplitN(c.key, ", ", columns) {
			name, _, _ := strings.Cut(d, " ")
			if strings.HasPrefix(d, `"`) {
				name = `"K k"`
			}
			names = append(names, name)
		}
		name := fmt.Sprintf("t%d", n)
		w.do(fmt.Sprintf("create table %s (%s, v text, primary key (%s)); insert into %[1]s select %[4]s, 'x' from generate_series(1, 40) i", name, c.key, strings.Join(names, ", "), c.rows))
		b := w.changed(name, len(names))
		w.finds(c.key, 40, func() { w.run.prefetch(b, prefetchLeast) })
	}
}

// Of what is read again each time, or would have to be looked for in the whole table, nothing is read ahead.
func TestPrefetchLeavesOut(t *testing.T) {
	w := newPrefetchWorld(t)
	w.do(`create table t (id int primary key, v text); insert into t select i, 'x' from generate_series(1, 40) i; create table bare (id int, v text); insert into bare table t`)
	hot, bare, fresh, few := w.changed("t", 1), w.changed("bare", 1), w.changed("t", 1), w.changed("t", 1)
	hot.tbl.hot = true
	for i := range fresh.entries {
		fresh.entries[i].had = false
	}
	few.entries = few.entries[:prefetchLeast-1]
	for _, b := range []*batch{hot, bare, fresh, few} {
		w.run.prefetch(b, 1)
	}
	b := w.changed("t", 1)
	w.finds("the last", 40, func() { w.run.prefetch(b, 1) })
	w.run.prefetch(b, 1) // nothing is new
	b.empty()
	b = w.changed("t", 1)
	w.finds("what is changed again", 40, func() { w.run.prefetch(b, 1) })
	if found := w.target.prefetching.found.Load(); found != 80 {
		t.Errorf("%d rows were read, want 80", found)
	}
}

// Its statements are planned for tables of any size: many pages at a time where the key allows, and never the whole table.
func TestPrefetchPlans(t *testing.T) {
	w := newPrefetchWorld(t)
	w.do(`create table one (id int primary key, v text); create table two (a int, b text, v text, primary key (a, b))`)
	conn, err := w.target.prefetchConn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, c := range []struct {
		name string
		keys int
		args string
		want string
	}{{"one", 1, "'{1,2}'", "Bitmap Heap Scan on one"}, {"two", 2, "'{1,2}', '{a,b}'", "Bitmap Heap Scan on two"}} {
		sql, _ := w.changed(c.name, c.keys).tbl.sqlPrefetch()
		types := map[int]string{1: "(int4[])", 2: "(int4[], text[])"}[c.keys]
		if _, err := conn.Exec(t.Context(), fmt.Sprintf("prepare %s%s as %s", c.name, types, sql), pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
		rows, err := conn.Query(t.Context(), fmt.Sprintf("explain execute %s(%s)", c.name, c.args), pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan := strings.Join(lines, "\n")
		if err != nil || !strings.Contains(plan, c.want) || strings.Contains(plan, "Seq Scan") {
			t.Errorf("%v; plan of %s, want %s:\n%s", err, sql, c.want, plan)
		}
	}
}

// Whatever comes in its way, the window does not wait for it.
func TestPrefetchIsNotWaitedFor(t *testing.T) {
	w := newPrefetchWorld(t)
	w.do(`create table a (id int primary key, v text); insert into a select i, 'x' from generate_series(1, 40) i; create table b (id int primary key, v text); insert into b table a`)
	prefetch := func(b *batch) func() {
		return func() {
			b.prefetched = 0
			w.run.prefetch(b, prefetchLeast)
		}
	}
	a, b := w.changed("a", 1), w.changed("b", 1)
	w.finds("a", 40, prefetch(a))
	w.do(`begin; lock table a in access exclusive mode`)
	prefetch(a)()
	w.finds("another table than the locked one", 40, prefetch(b))
	w.do(`rollback; drop table a; create table a (id text)`)
	prefetch(a)()
	w.finds("another table than the one that is no more what it was", 40, prefetch(b))

	w.do(`select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where application_name = 'bridge prefetch' and datname = current_database()`)
	for range 10 * prefetchQueued {
		prefetch(b)()
	}
	<-w.target.prefetching.ended
	for range 10 * prefetchQueued {
		prefetch(b)()
	}

	w.target.Close()
	if w.target.prefetching != nil {
		t.Error("it is there behind Close")
	}
}

// The faster way is taken, the slower one tried again ever less often, and a change noticed.
func TestPaceFindsTheFasterWay(t *testing.T) {
	cost := [2]time.Duration{paceWithout: 10 * time.Millisecond, paceWith: 20 * time.Millisecond}
	var p pace
	windows := func(n int) (with int) {
		for range n {
			way := p.next()
			with += way
			p.took(way, cost[way], 1000)
		}
		return with
	}
	if with := windows(paceLeast); with > 0 {
		t.Errorf("%d of the first windows were bothered, though none is slow", with)
	}
	if with := windows(1000); with < 10 || with > 30 {
		t.Errorf("%d of 1000 windows took the slower way", with)
	}
	cost[paceWithout] = time.Second
	windows(20) // the first of them show it
	if with := windows(1000); with < 970 {
		t.Errorf("%d of 1000 windows took the way that is faster now", with)
	}
	p = pace{}
	if windows(1); p.next() != paceWith {
		t.Error("a slow window is not followed by one that is helped")
	}
}
