package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	pgbridge "github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/config"
	"github.com/pgbridge/pgbridge/master"
	"github.com/pgbridge/pgbridge/pgserver"
)

// bench holds what the comparisons share.
type bench struct {
	install      pgserver.Install
	transactions int
	rows         int
	bridgeFirst  bool // which of the two is measured first takes turns
}

var comparisons = []comparison{
	{"slot", "a backlog of TPC-B transactions in the slot: from start until applied",
		func(ctx context.Context, b *bench) (ours, native time.Duration, err error) {
			return b.catchUp(ctx, false)
		}},
	{"log", "the same, already in the sync table: the replica was down",
		func(ctx context.Context, b *bench) (ours, native time.Duration, err error) {
			return b.catchUp(ctx, true)
		}},
	{"copy", "initial copy of a table, schema and primary key included",
		func(ctx context.Context, b *bench) (ours, native time.Duration, err error) { return b.initialCopy(ctx) }},
	{"ddl", "200 changes of the schema among 2,000 tables on the master: with the bridge's event triggers, against without",
		func(ctx context.Context, b *bench) (ours, native time.Duration, err error) {
			return b.schemaChanges(ctx)
		}},
	{"evolve", "the same on a replica that was down, against the time that the master took",
		func(ctx context.Context, b *bench) (ours, native time.Duration, err error) { return b.evolving(ctx) }},
}

// set is a master, a subscriber of native replication and a replica of the bridge.
type set struct {
	master, native, replica *pgserver.Server
	config                  *config.Config
}

func (b *bench) start(ctx context.Context) (s *set, err error) {
	s = &set{}
	settings := map[string]string{"shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "30min", "autovacuum": "off"}
	for _, server := range []**pgserver.Server{&s.master, &s.native, &s.replica} {
		if *server, err = pgserver.Start(ctx, pgserver.Options{Install: b.install, Settings: settings}); err != nil {
			s.close()
			return nil, err
		}
		if err := execute(ctx, (*server).URL("postgres"), "create database app"); err != nil {
			s.close()
			return nil, err
		}
	}
	s.config = &config.Config{
		Master:   config.Master{URL: config.URL(s.master.URL("app")), Slot: "bridge", Publication: "bridge"},
		Log:      config.Log{RetainFor: 24 * time.Hour, RetainBytes: 10 << 30},
		Window:   config.Window{Transactions: 1000, Bytes: 8 << 20},
		Replicas: []config.Replica{{Name: "replica", URL: config.URL(s.replica.URL("app"))}},
	}
	return s, nil
}

func (s *set) close() {
	for _, server := range []*pgserver.Server{s.master, s.native, s.replica} {
		if server != nil {
			server.Close()
		}
	}
}

// bridge runs parts of the bridge until stop is called.
func (s *set) bridge(ctx context.Context, roles ...pgbridge.Role) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	b := pgbridge.New(s.config, slog.New(slog.NewTextHandler(io.Discard, nil)))
	go func() {
		defer close(done)
		b.Run(ctx, roles...) // ends with ctx
	}()
	return func() {
		cancel()
		<-done
	}
}

func (s *set) init(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.master.URL("app"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = master.Init(ctx, conn, master.Options{Slot: "bridge", Publication: "bridge"})
	return err
}

// catchUp measures how long each takes for transactions that were committed while it
// was down. stored says that the tap was up: the blocks are in the sync table.
func (b *bench) catchUp(ctx context.Context, stored bool) (ours, native time.Duration, err error) {
	s, err := b.start(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer s.close()
	if err := pgbench(ctx, s.master, "-i", "-q", "-s", "10"); err != nil {
		return 0, 0, err
	}
	if err := execute(ctx, s.master.URL("app"), "alter table pgbench_history replica identity full"); err != nil {
		return 0, 0, err
	}
	if err := s.init(ctx); err != nil {
		return 0, 0, err
	}
	stop := s.bridge(ctx)
	err = s.until(ctx, s.replica, `select exists (select from bridge.position where state = 'streaming')`)
	stop()
	if err != nil {
		return 0, 0, err
	}
	if err := s.subscribe(ctx); err != nil {
		return 0, 0, err
	}
	if err := execute(ctx, s.native.URL("app"), "alter subscription native disable"); err != nil {
		return 0, 0, err
	}
	if stored {
		stop := s.bridge(ctx, pgbridge.Role{Tap: true})
		defer stop()
	}
	if err := pgbench(ctx, s.master, "-c", "8", "-j", "2", "-n", "-t", strconv.Itoa(b.transactions/8)); err != nil {
		return 0, 0, err
	}
	count := b.transactions / 8 * 8
	if stored {
		if err := s.until(ctx, s.master, fmt.Sprintf(`select count(*) >= %d from bridge.commit_block`, count)); err != nil {
			return 0, 0, err
		}
	}
	applied := fmt.Sprintf(`select count(*) = %d from pgbench_history`, count)
	both := []func() error{
		func() error {
			started := time.Now()
			stop := s.bridge(ctx, s.roles(stored)...)
			defer stop()
			err := s.until(ctx, s.replica, applied)
			ours = time.Since(started)
			return err
		},
		func() error {
			started := time.Now()
			if err := execute(ctx, s.native.URL("app"), "alter subscription native enable"); err != nil {
				return err
			}
			err := s.until(ctx, s.native, applied)
			native = time.Since(started)
			return errors.Join(err, execute(ctx, s.native.URL("app"), "alter subscription native disable"))
		},
	}
	if err := b.inTurn(both); err != nil {
		return 0, 0, err
	}
	return ours, native, s.equal(ctx, "pgbench_accounts", "pgbench_tellers", "pgbench_branches", "pgbench_history")
}

func (s *set) roles(stored bool) []pgbridge.Role {
	if stored {
		return []pgbridge.Role{{Replica: "replica"}}
	}
	return nil
}

func (b *bench) inTurn(both []func() error) error {
	if !b.bridgeFirst {
		both[0], both[1] = both[1], both[0]
	}
	for _, f := range both {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// initialCopy measures how long each takes to bring a table to an empty database.
func (b *bench) initialCopy(ctx context.Context) (ours, native time.Duration, err error) {
	s, err := b.start(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer s.close()
	const table = "create table big (id bigint primary key, at timestamptz not null, amount numeric(12, 2) not null, who int not null, note text not null)"
	if err := execute(ctx, s.master.URL("app"), table+fmt.Sprintf(`;
		insert into big select i, '2024-01-01'::timestamptz + i * interval '1 second', i %% 10000 / 100.0, i %% 5000, md5(i::text) || md5((i + 1)::text)
		from generate_series(1, %d) i`, b.rows)); err != nil {
		return 0, 0, err
	}
	if err := execute(ctx, s.master.URL("app"), "vacuum analyze big"); err != nil {
		return 0, 0, err
	}
	if err := s.init(ctx); err != nil {
		return 0, 0, err
	}
	if err := execute(ctx, s.native.URL("app"), table); err != nil {
		return 0, 0, err
	}
	both := []func() error{
		func() error {
			started := time.Now()
			stop := s.bridge(ctx)
			defer stop()
			err := s.until(ctx, s.replica, `select exists (select from bridge.position where state = 'streaming')`)
			ours = time.Since(started)
			return err
		},
		func() error {
			started := time.Now()
			err := s.subscribe(ctx)
			native = time.Since(started)
			return err
		},
	}
	if err := b.inTurn(both); err != nil {
		return 0, 0, err
	}
	return ours, native, s.equal(ctx, "big")
}

// subscribe makes the native subscription and waits until its tables are copied.
func (s *set) subscribe(ctx context.Context) error {
	if s.has(ctx, s.master, "pgbench_accounts") {
		if err := pgbench(ctx, s.native, "-i", "-I", "dtp", "-q", "-s", "10"); err != nil {
			return err
		}
	}
	if err := execute(ctx, s.master.URL("app"), `
		do $$ begin execute (
			select 'create publication native for table ' || string_agg(format('%I.%I', schemaname, tablename), ', ')
			from pg_publication_tables where pubname = 'bridge'); end $$`); err != nil {
		return err
	}
	if err := execute(ctx, s.native.URL("app"), fmt.Sprintf("create subscription native connection '%s' publication native", s.master.URL("app"))); err != nil {
		return err
	}
	return s.until(ctx, s.native, `select count(*) > 0 and bool_and(srsubstate = 'r') from pg_subscription_rel`)
}

func (s *set) has(ctx context.Context, server *pgserver.Server, table string) bool {
	ok, err := ask(ctx, server.URL("app"), fmt.Sprintf("select to_regclass('%s') is not null", table))
	return err == nil && ok
}

// until polls until the query says yes.
func (s *set) until(ctx context.Context, server *pgserver.Server, query string) error {
	conn, err := pgx.Connect(ctx, server.URL("app"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for {
		var yes bool
		if err := conn.QueryRow(ctx, query).Scan(&yes); err == nil && yes {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// equal fails unless all three hold the same rows.
func (s *set) equal(ctx context.Context, tables ...string) error {
	for _, table := range tables {
		query := fmt.Sprintf(`select count(*)::text || ' ' || coalesce(sum(hashtextextended(t::text, 0)), 0)::text from %s t`, table)
		var sums []string
		for _, server := range []*pgserver.Server{s.master, s.native, s.replica} {
			conn, err := pgx.Connect(ctx, server.URL("app"))
			if err != nil {
				return err
			}
			var sum string
			err = conn.QueryRow(ctx, query).Scan(&sum)
			conn.Close(ctx)
			if err != nil {
				return err
			}
			sums = append(sums, sum)
		}
		if sums[0] != sums[1] || sums[0] != sums[2] {
			return fmt.Errorf("table %s differs: master %s, native %s, bridge %s", table, sums[0], sums[1], sums[2])
		}
	}
	return nil
}

func execute(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	return err
}

func ask(ctx context.Context, url, query string) (yes bool, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return false, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, query).Scan(&yes)
	return yes, err
}

func pgbench(ctx context.Context, server *pgserver.Server, args ...string) error {
	install := server.Install()
	tool, err := install.Tool("pgbench")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, tool, append(args, server.URL("app"))...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pgbench: %w: %s", err, out)
	}
	return nil
}
