package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/pgbridge/pgbridge"
	"github.com/pgbridge/pgbridge/config"
	"github.com/pgbridge/pgbridge/master"
	"github.com/pgbridge/pgbridge/pgserver"
)

// database is the one that is replicated, on every server.
const database = "shop"

//go:embed shop.sql
var shopSQL string

// system is the servers and the bridge between them.
type system struct {
	dir      *directory
	ui       *display
	install  pgserver.Install
	master   *node
	replicas []*node
	config   *config.Config
	bridge   *pgbridge.Bridge
	copies   copies
	log      io.Closer

	mu     sync.Mutex // guards what follows
	cancel context.CancelFunc
	done   chan error // gets the result of the bridge that runs; nil when none does
}

// node is one server.
type node struct {
	name   string
	server *pgserver.Server
}

func (n *node) url() string { return n.server.URL(database) }

// nodes are all servers, the master first.
func (s *system) nodes() []*node { return append([]*node{s.master}, s.replicas...) }

// serverSettings suit many small servers on one machine. The rest is PostgreSQL's own, fsync too.
var serverSettings = map[string]string{
	"shared_buffers":         "64MB",
	"max_connections":        "60",
	"max_slot_wal_keep_size": "8GB",
}

// prepare starts the servers, loads the shop and prepares the master.
func (s *system) prepare(ctx context.Context) error {
	began := time.Now()
	s.ui.event("starting %d servers: %s", 1+len(s.replicas), s.install)
	if err := s.startServers(ctx); err != nil {
		return err
	}
	s.ui.event("master and %s run, %s later", count(int64(len(s.replicas)), "replica"), seconds(time.Since(began)))
	if err := s.loadShop(ctx); err != nil {
		return fmt.Errorf("load the shop: %w", err)
	}
	if err := s.configure(); err != nil {
		return err
	}
	conn, err := s.bridge.Connect(ctx, "")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	r, err := master.Init(ctx, conn, master.Options{})
	if err != nil {
		return fmt.Errorf("init the master: %w", err)
	}
	if r.First {
		s.ui.event("bridge init has prepared the master: %d tables and partitions are published, the log begins at %s", r.Published, r.Anchor.LSN)
	} else {
		s.ui.event("the master was prepared by the demo before: %d tables and partitions are published", r.Published)
	}
	return nil
}

// startServers starts all servers, a few at a time, each with the database of the shop.
func (s *system) startServers(ctx context.Context) error {
	s.dir.note.Postgres = s.install.Major
	if err := s.dir.save(); err != nil {
		return err
	}
	dirs := map[*node]string{}
	for _, n := range s.nodes() {
		path, err := s.dir.server(n.name)
		if err != nil {
			return err
		}
		dirs[n] = path
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(2, runtime.NumCPU()))
	for _, n := range s.nodes() {
		group.Go(func() (err error) {
			n.server, err = pgserver.Start(ctx, pgserver.Options{Install: s.install, Dir: dirs[n], Keep: true, Settings: serverSettings})
			if err != nil {
				return fmt.Errorf("server %s: %w", n.name, err)
			}
			err = execute(ctx, n.server.URL("postgres"), "create database "+database)
			if pg, ok := errors.AsType[*pgconn.PgError](err); ok && pg.Code == "42P04" { // it is there
				err = nil
			}
			if err != nil {
				return fmt.Errorf("server %s: create database %s: %w", n.name, database, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, n := range s.nodes() {
		if err := s.dir.made(n.name); err != nil {
			return err
		}
	}
	return nil
}

// loadShop makes the shop's schema and rows in one transaction, unless they are there.
func (s *system) loadShop(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.master.url())
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var there bool
	if err := conn.QueryRow(ctx, `select to_regclass('shop.event') is not null`).Scan(&there); err != nil {
		return err
	}
	if there {
		s.ui.event("the shop is there already, with what the demo before has left")
		return nil
	}
	began := time.Now()
	if _, err := conn.Exec(ctx, "begin;\n"+shopSQL+"\ncommit", pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "analyze"); err != nil {
		return err
	}
	var rows, tables int64
	err = conn.QueryRow(ctx, `
		select sum(reltuples) filter (where relkind = 'r')::bigint, count(*) filter (where not relispartition)
		from pg_class
		where relnamespace = 'shop'::regnamespace and relkind in ('r', 'p')`).Scan(&rows, &tables)
	if err != nil {
		return err
	}
	s.ui.event("a shop is loaded into the master: %s in %s, %s", count(rows, "row"), count(tables, "table"), seconds(time.Since(began)))
	return nil
}

// configure makes the bridge, and writes its configuration for whoever wants to look with other commands.
func (s *system) configure() error {
	s.config = &config.Config{
		Master: config.Master{URL: config.URL(s.master.url()), Slot: "bridge", Publication: "bridge"},
		Log:    config.Log{RetainFor: 24 * time.Hour, RetainBytes: 10 << 30},
		Window: config.Window{Transactions: 4000, Bytes: 8 << 20},
	}
	var text strings.Builder
	fmt.Fprintf(&text, "# The bridge of this demo, while it runs.\nmaster:\n  url: %s\nreplicas:\n", s.config.Master.URL)
	for _, n := range s.replicas {
		s.config.Replicas = append(s.config.Replicas, config.Replica{Name: n.name, URL: config.URL(n.url())})
		fmt.Fprintf(&text, "  - name: %s\n    url: %s\n", n.name, n.url())
	}
	if err := os.WriteFile(filepath.Join(s.dir.path, configFile), []byte(text.String()), 0o644); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(s.dir.path, logFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	s.log = file
	s.bridge = pgbridge.New(s.config, slog.New(slog.NewMultiHandler(slog.NewTextHandler(file, nil), &logEvents{ui: s.ui})))
	s.bridge.Progress = s.copies.step
	return nil
}

// invite says how to look at the system while it runs.
func (s *system) invite(o Options) {
	var b strings.Builder
	b.WriteString("\nLook at it from another terminal while it runs:\n")
	for _, n := range s.nodes() {
		fmt.Fprintf(&b, "  %-8s psql '%s'\n", n.name, n.url())
	}
	fmt.Fprintf(&b, "  %-8s %s status --watch -c %s\n", "status", o.Program, filepath.Join(s.dir.path, configFile))
	s.ui.say("%s", b.String())
}

// startBridge runs the bridge until stopBridge.
func (s *system) startBridge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.done = cancel, make(chan error, 1)
	go func(done chan<- error) {
		err := s.bridge.Run(ctx)
		if ctx.Err() == nil {
			s.ui.event("the bridge has ended: %v", err)
		}
		done <- err
	}(s.done)
}

// stopBridge ends the bridge as SIGTERM would, and returns when it has ended.
func (s *system) stopBridge() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done == nil {
		return
	}
	s.cancel()
	<-s.done
	s.done = nil
}

// bridgeRuns says whether somebody has started it.
func (s *system) bridgeRuns() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done != nil
}

// mend brings back what the story had taken away when it was cut short.
func (s *system) mend(ctx context.Context) error {
	for _, n := range s.nodes() {
		if n.server.Pid() != 0 {
			continue
		}
		if err := n.server.Start(ctx); err != nil {
			return err
		}
		s.ui.event("the server of %s is started again", n.name)
	}
	if !s.bridgeRuns() {
		s.startBridge()
		s.ui.event("the bridge is started again")
	}
	return nil
}

// closePatience is how long a server may take to end in order, where its data is kept.
const closePatience = 30 * time.Second

// close ends bridge and servers.
func (s *system) close() error {
	s.stopBridge()
	var group errgroup.Group
	for _, n := range s.nodes() {
		if n.server == nil {
			continue
		}
		group.Go(func() error {
			if !s.dir.temporary {
				ctx, cancel := context.WithTimeout(context.Background(), closePatience)
				defer cancel()
				if err := n.server.Stop(ctx, pgserver.Fast); err != nil {
					return errors.Join(err, n.server.Close())
				}
			}
			return n.server.Close()
		})
	}
	err := group.Wait()
	if s.log != nil {
		err = errors.Join(err, s.log.Close())
	}
	return err
}

func execute(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	return err
}
