package itest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	pgbridge "github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/config"
	"github.com/pgbridge/pgbridge/master"
	"github.com/pgbridge/pgbridge/pgserver"
	"github.com/pgbridge/pgbridge/pgserver/pgtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		os.Exit(bridgeMain())
	}
	pgtest.Main(m)
}

// world is a master, replicas, and a bridge between them.
type world struct {
	t        testing.TB
	master   *pgserver.Server
	replicas []*pgserver.Server
	config   *config.Config

	mu   sync.Mutex
	runs []*running

	counts sync.Map // of what the bridges have logged, by message
}

// running is a bridge, or a part of one, that was started.
type running struct {
	cancel context.CancelFunc
	done   chan error
}

// newWorld starts a master of version from, and replicas of version to, with the
// database "app" on each. Version 0 is the system's.
func newWorld(t testing.TB, from, to, replicas int, options ...pgtest.Option) *world {
	t.Helper()
	w := &world{t: t}
	w.master = pgtest.ForTest(t, append([]pgtest.Option{pgtest.With(pgtest.Install(t, from))}, options...)...)
	w.config = &config.Config{
		Master: config.Master{URL: config.URL(w.master.URL("app")), Slot: "bridge", Publication: "bridge"},
		Log:    config.Log{RetainFor: 24 * time.Hour, RetainBytes: 10 << 30},
		Window: config.Window{Transactions: 1000, Bytes: 8 << 20},
	}
	w.exec(w.master.URL("postgres"), makeRoles)
	w.exec(w.master.URL("postgres"), "create database app")
	for i := range replicas {
		server := pgtest.ForTest(t, pgtest.With(pgtest.Install(t, to)))
		w.replicas = append(w.replicas, server)
		w.exec(server.URL("postgres"), makeRoles)
		w.exec(server.URL("postgres"), "create database app")
		w.config.Replicas = append(w.config.Replicas, config.Replica{Name: fmt.Sprintf("r%d", i+1), URL: config.URL(server.URL("app"))})
	}
	t.Cleanup(w.stop)
	return w
}

// makeRoles makes the roles that own things or may do something in tests.
const makeRoles = `create role alice; create role bob; create role carol; create role "Dave ""D"""`

// exec runs SQL, several statements if need be.
func (w *world) exec(url, sql string) {
	w.t.Helper()
	if err := try(w.t.Context(), url, sql); err != nil {
		w.t.Fatalf("%s: %v", abbreviate(sql), err)
	}
}

func (w *world) onMaster(sql string) { w.t.Helper(); w.exec(w.master.URL("app"), sql) }

func (w *world) onReplica(i int, sql string) { w.t.Helper(); w.exec(w.replicas[i].URL("app"), sql) }

func try(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	return err
}

func abbreviate(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > 120 {
		return s[:120] + "…"
	}
	return s
}

// query returns the rows as text, columns separated by |.
func (w *world) query(url, sql string) []string {
	w.t.Helper()
	rows, err := tryQuery(w.t.Context(), url, sql)
	if err != nil {
		w.t.Fatalf("%s: %v", abbreviate(sql), err)
	}
	return rows
}

func tryQuery(ctx context.Context, url, sql string) ([]string, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return queryOn(ctx, conn, sql)
}

func queryOn(ctx context.Context, conn *pgx.Conn, sql string) ([]string, error) {
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows []string
	for _, r := range results {
		for _, values := range r.Rows {
			text := make([]string, len(values))
			for i, v := range values {
				if text[i] = string(v); v == nil {
					text[i] = "null"
				}
			}
			rows = append(rows, strings.Join(text, "|"))
		}
	}
	return rows, nil
}

// init prepares the master.
func (w *world) init() {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.master.URL("app"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := master.Init(w.t.Context(), conn, master.Options{
		Slot: w.config.Master.Slot, Publication: w.config.Master.Publication,
		Include: w.config.Master.Tables.Include, Exclude: w.config.Master.Tables.Exclude,
	}); err != nil {
		w.t.Fatalf("init: %v", err)
	}
}

// bridge is the bridge of the world's configuration.
func (w *world) bridge() *pgbridge.Bridge {
	return pgbridge.New(w.config, slog.New(counter{logger(w.t).Handler(), &w.counts}))
}

// run starts the given parts of the bridge, or all, in this process.
func (w *world) run(roles ...pgbridge.Role) *running {
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel: cancel, done: make(chan error, 1)}
	b := w.bridge()
	go func() { r.done <- b.Run(ctx, roles...) }()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.runs = append(w.runs, r)
	return r
}

func (r *running) stop() {
	r.cancel()
	err := <-r.done
	r.done <- err
}

func (w *world) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.runs {
		r.stop()
	}
	w.runs = nil
}

// wait waits until the replicas show what is committed now.
func (w *world) wait() {
	w.t.Helper()
	lsn := w.query(w.master.URL("app"), "select pg_current_wal_insert_lsn() from pg_logical_emit_message(true, 'bridge.marker', '')")[0]
	for i := range w.replicas {
		w.eventually("replica catches up", func() bool {
			r, err := tryQuery(w.t.Context(), w.replicas[i].URL("app"), "select commit_lsn >= '"+lsn+"' and state='streaming' from bridge.position")
			return err == nil && len(r) > 0 && r[0] == "t"
		})
	}
}

// tablesQuery lists the user tables that hold rows themselves.
const tablesQuery = `
	select format('%I.%I', n.nspname, c.relname)
	from pg_class c
	join pg_namespace n on n.oid = c.relnamespace
	where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname not in ('bridge', 'information_schema') and n.nspname not like 'pg\_%'
	order by 1`

// dump is every row of every table of a database as text, table by table. It is not
// what bridge check compares with.
func dump(ctx context.Context, url string) (map[string][]string, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	tables, err := queryOn(ctx, conn, tablesQuery)
	if err != nil {
		return nil, err
	}
	const pins = "set datestyle = 'ISO'; set intervalstyle = 'postgres'; set timezone = 'UTC'; set extra_float_digits = 3; set bytea_output = 'hex'; set lc_monetary = 'C'; set search_path = ''; "
	all := map[string][]string{}
	for _, table := range tables {
		columns, err := queryOn(ctx, conn, fmt.Sprintf(`select string_agg(quote_ident(attname), ', ' order by attname) from pg_attribute where attrelid = '%s'::regclass and attnum > 0 and not attisdropped`, strings.ReplaceAll(table, "'", "''")))
		if err != nil {
			return nil, err
		}
		list := columns[0]
		if list == "null" {
			list = ""
		}
		rows, err := queryOn(ctx, conn, pins+fmt.Sprintf(`select row(%s)::text collate "C" from only %s order by 1`, list, table))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", table, err)
		}
		all[table] = rows
	}
	return all, nil
}

// same fails unless the replicas hold, row for row, what the master holds.
func (w *world) same() {
	w.t.Helper()
	want, err := dump(w.t.Context(), w.master.URL("app"))
	if err != nil {
		w.t.Fatalf("read the master: %v", err)
	}
	for i, server := range w.replicas {
		have, err := dump(w.t.Context(), server.URL("app"))
		if err != nil {
			w.t.Fatalf("read replica %d: %v", i+1, err)
		}
		for table, rows := range want {
			if difference := firstDifference(rows, have[table]); difference != "" {
				w.t.Errorf("replica %d, table %s: %d rows, the master has %d; %s", i+1, table, len(have[table]), len(rows), difference)
			}
		}
		for table := range have {
			if _, ok := want[table]; !ok {
				w.t.Errorf("replica %d has table %s, the master has not", i+1, table)
			}
		}
	}
	if w.t.Failed() {
		w.t.FailNow()
	}
}

func firstDifference(want, have []string) string {
	for i := range max(len(want), len(have)) {
		switch {
		case i >= len(have):
			return fmt.Sprintf("missing %s", abbreviate(want[i]))
		case i >= len(want):
			return fmt.Sprintf("too much: %s", abbreviate(have[i]))
		case want[i] != have[i]:
			return fmt.Sprintf("first difference: master %s, replica %s", abbreviate(want[i]), abbreviate(have[i]))
		}
	}
	return ""
}

// eventually waits until the condition holds.
func (w *world) eventually(what string, condition func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// logger writes to the test's log.
func logger(t testing.TB) *slog.Logger {
	var out io.Writer = testWriter{t}
	if os.Getenv("ITEST_LOG") != "" {
		out = os.Stderr
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// counter counts messages.
type counter struct {
	slog.Handler
	counts *sync.Map // *atomic.Int64
}

func (c counter) Handle(ctx context.Context, r slog.Record) error {
	n, _ := c.counts.LoadOrStore(r.Message, new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
	return c.Handler.Handle(ctx, r)
}

// logged is how often the world's bridges have logged the message.
func (w *world) logged(message string) int64 {
	n, ok := w.counts.Load(message)
	if !ok {
		return 0
	}
	return n.(*atomic.Int64).Load()
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Logf("%s", strings.TrimRight(string(b), "\n"))
	return len(b), nil
}
