package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/pgbridge/pgbridge/pgserver"
)

// database is the one that is replicated, on every server.
const database = "app"

// serverSettings are those of every server. fsync stays on.
var serverSettings = map[string]string{
	// Else a subscription that is enabled soon after it was attached waits up to 5 s before it starts.
	"wal_retrieve_retry_interval": "100ms",

	"shared_buffers":     "512MB",
	"max_wal_size":       "8GB",
	"checkpoint_timeout": "30min",
	"autovacuum":         "off",
}

// world is a master and its replicas, each a server of its own, and the system that replicates
// from one to the others. No two systems ever share a master: what one writes there is not work of another.
type world struct {
	*bench
	master   *pgserver.Server
	replicas []*pgserver.Server
	system   system
}

// world starts the servers of a contender; the caller closes it.
func (b *bench) world(ctx context.Context, c *contender, replicas int) (_ *world, err error) {
	w := &world{bench: b}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	settings := maps.Clone(serverSettings)
	maps.Copy(settings, c.settings)
	servers := make([]*pgserver.Server, 1+replicas)
	group, inner := errgroup.WithContext(ctx)
	for i := range servers {
		group.Go(func() (err error) {
			if servers[i], err = pgserver.Start(inner, pgserver.Options{Install: b.install, Settings: settings}); err != nil {
				return err
			}
			return execute(inner, servers[i].URL("postgres"), "create database "+database)
		})
	}
	err = group.Wait()
	w.master, w.replicas = servers[0], servers[1:]
	if err != nil {
		return nil, fmt.Errorf("start the servers: %w", err)
	}
	w.system = c.start(w)
	return w, w.define(ctx, "create table mark (id bigint primary key)")
}

// close ends the system and then its servers.
func (w *world) close() error {
	var err error
	if w.system != nil {
		err = w.system.end()
	}
	for _, s := range append([]*pgserver.Server{w.master}, w.replicas...) {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	return err
}

// define makes tables on the master, and on the replicas unless the system brings them there itself.
func (w *world) define(ctx context.Context, sql string) error {
	if err := execute(ctx, w.master.URL(database), sql); err != nil {
		return fmt.Errorf("define tables: %w", err)
	}
	if w.system.carriesSchema() {
		return nil
	}
	for _, r := range w.replicas {
		if err := execute(ctx, r.URL(database), sql); err != nil {
			return fmt.Errorf("define tables on a replica: %w", err)
		}
	}
	return nil
}

// attach prepares the master and attaches every replica to it; they are up to date then.
func (w *world) attach(ctx context.Context) error {
	if err := w.system.prepare(ctx); err != nil {
		return fmt.Errorf("prepare the master: %w", err)
	}
	if err := w.system.attach(ctx); err != nil {
		return fmt.Errorf("attach the replicas: %w", err)
	}
	return nil
}

// onMaster runs statements on the master, outside of transactions.
func (w *world) onMaster(ctx context.Context, statements ...string) error {
	return execute(ctx, w.master.URL(database), statements...)
}

// mark commits a row on the master. What shows it has everything that was committed before.
func (w *world) mark(ctx context.Context, id int64) (xid int64, err error) {
	conn, err := pgx.Connect(ctx, w.master.URL(database))
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, "insert into mark values ($1) returning pg_current_xact_id()::text::bigint", id).Scan(&xid)
	return xid, err
}

// marked returns when the replicas with these numbers show the mark.
func (w *world) marked(ctx context.Context, id int64, replicas ...int) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, i := range replicas {
		group.Go(func() error {
			return until(ctx, w.replicas[i].URL(database), "select exists (select from mark where id = $1)", id)
		})
	}
	return group.Wait()
}

// resumeUntil lets replicas go on, and returns how long they took to show the mark.
func (w *world) resumeUntil(ctx context.Context, id int64, replicas ...int) (time.Duration, error) {
	started := time.Now()
	if err := w.system.resume(ctx, replicas...); err != nil {
		return 0, fmt.Errorf("resume: %w", err)
	}
	if err := w.marked(ctx, id, replicas...); err != nil {
		return 0, fmt.Errorf("wait for the replicas: %w", err)
	}
	return time.Since(started), nil
}

// all are the numbers of all replicas.
func (w *world) all() []int {
	list := make([]int, len(w.replicas))
	for i := range list {
		list[i] = i
	}
	return list
}

// pollEvery is the pause between two looks at a server that work is waited for on.
const pollEvery = 5 * time.Millisecond

// until polls, over one connection, until the query says yes. A query that fails says no:
// its table may not be there yet.
func until(ctx context.Context, url, query string, args ...any) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for {
		var yes bool
		err := conn.QueryRow(ctx, query, args...).Scan(&yes)
		if err == nil && yes {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", query, errors.Join(context.Cause(ctx), err))
		case <-time.After(pollEvery):
		}
	}
}

// execute runs each of the statements as it is.
func execute(ctx context.Context, url string, statements ...string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, sql := range statements {
		if _, err := conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return err
		}
	}
	return nil
}

// tpcb are the tables of pgbench, which makes them without keys at first.
const tpcb = `
	create table pgbench_branches (bid int primary key, bbalance int, filler char(88)) with (fillfactor = 100);
	create table pgbench_tellers (tid int primary key, bid int, tbalance int, filler char(84)) with (fillfactor = 100);
	create table pgbench_accounts (aid int primary key, bid int, abalance int, filler char(84)) with (fillfactor = 100);
	create table pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))`

var tpcbTables = []string{"mark", "pgbench_accounts", "pgbench_branches", "pgbench_history", "pgbench_tellers"}

// fillTPCB makes pgbench's tables and rows.
func (w *world) fillTPCB(ctx context.Context) error {
	if err := w.define(ctx, tpcb); err != nil {
		return err
	}
	_, err := w.pgbench(ctx, "-i", "-I", "gv", "-q", "-s", strconv.Itoa(w.scaled(10)))
	return err
}

var tps = regexp.MustCompile(`tps = ([0-9.]+) \(without initial connection time\)`)

// pgbench runs the program on the master, and returns the transactions per second that it speaks of.
func (w *world) pgbench(ctx context.Context, args ...string) (float64, error) {
	tool, err := w.install.Tool("pgbench")
	if err != nil {
		return 0, err
	}
	out, err := exec.CommandContext(ctx, tool, append(args, w.master.URL(database))...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench: %w: %s", err, out)
	}
	m := tps.FindSubmatch(out)
	if m == nil {
		return 0, nil // it only filled the tables
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
