// Package pgbridge composes the bridge: it runs what a configuration declares, and
// answers where everything stands.
//
//	b := pgbridge.New(config, log)
//	err := b.Run(ctx) // until ctx ends
package pgbridge

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/config"
	"github.com/pgbridge/pgbridge/dial"
	"github.com/pgbridge/pgbridge/sink"
	"github.com/pgbridge/pgbridge/sink/postgres"
)

// Bridge is one configured bridge. It holds no connections between calls.
type Bridge struct {
	Config *config.Config
	Log    *slog.Logger

	// Progress is told how the copy of a new replica goes; it may be nil, and is
	// called from several goroutines.
	Progress func(postgres.Progress)

	// Patience is for how long a server may be silent before it is looked after; 0 stands
	// for dial.DefaultPatience.
	Patience time.Duration
}

// New makes a bridge of a configuration that is valid.
func New(c *config.Config, log *slog.Logger) *Bridge {
	return &Bridge{Config: c, Log: log}
}

// Role is a part of a bridge that can run on its own.
type Role struct {
	Tap     bool
	Replica string
}

// ParseRole reads "tap" or "replica=NAME".
func ParseRole(s string) (Role, error) {
	switch name, isReplica := strings.CutPrefix(s, "replica="); {
	case s == "tap":
		return Role{Tap: true}, nil
	case isReplica && name != "":
		return Role{Replica: name}, nil
	case s == "router" || s == "console":
		return Role{}, fmt.Errorf("role %s: not built yet", s)
	}
	return Role{}, fmt.Errorf("unknown role %q: want tap or replica=NAME", s)
}

// memoryLimit is what the garbage collector aims at: large transactions go through
// files, so memory is windows, parts and connections.
const memoryLimit = 160 << 20

// Run runs the given roles, or all, until ctx ends. What fails is tried again; the
// parts do not stop each other.
func (b *Bridge) Run(ctx context.Context, roles ...Role) error {
	if len(roles) == 0 {
		roles = append(roles, Role{Tap: true})
		for _, r := range b.Config.Replicas {
			roles = append(roles, Role{Replica: r.Name})
		}
	}
	debug.SetMemoryLimit(memoryLimit)
	debug.SetGCPercent(200) // less costs a fourth more processor time
	var tail *commitlog.Tail
	if len(roles) > 1 {
		tail = &commitlog.Tail{}
	}
	alone := !slices.ContainsFunc(b.Config.Replicas, func(r config.Replica) bool { return !slices.Contains(roles, Role{Replica: r.Name}) })
	var runs []func(context.Context) error
	var short *shortage
	for _, role := range roles {
		if role.Tap {
			t := &tap{config: b.Config, log: b.Log, patience: b.Patience, tail: tail, alone: alone}
			runs = append(runs, t.run, (&keeper{config: b.Config, log: b.Log, patience: b.Patience}).run)
			continue
		}
		applier, err := b.applier(role.Replica)
		if err != nil {
			return err
		}
		if short == nil {
			short = newShortage()
			runs = append(runs, short.watch)
		}
		applier.Tail, applier.Shortage = tail, short.now
		runs = append(runs, applier.Run)
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range runs {
		group.Go(func() error { return run(ctx) })
	}
	return group.Wait()
}

// applier builds what keeps one replica up to date.
func (b *Bridge) applier(name string) (*sink.Applier, error) {
	i := slices.IndexFunc(b.Config.Replicas, func(r config.Replica) bool { return r.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("no replica is named %q in the configuration", name)
	}
	replica, err := connConfig(b.Config.Replicas[i].URL, "bridge apply", b.Patience)
	if err != nil {
		return nil, err
	}
	master, err := connConfig(b.Config.Master.URL, "bridge replica "+name, b.Patience)
	if err != nil {
		return nil, err
	}
	target := postgres.New(postgres.Options{
		Name: name, Config: replica, Master: master, Publication: b.Config.Master.Publication,
		Tables: b.Config.Master.Tables.Match, Workers: b.Config.Copy.Workers, Prefetchers: b.Config.Prefetch.Workers, Progress: b.Progress, Log: b.Log,
	})
	return &sink.Applier{
		Name: name, Kind: "postgres", Target: target, Log: b.Log,
		Limits: sink.Limits{Blocks: b.Config.Window.Transactions, Bytes: b.Config.Window.Bytes},
		Master: func(ctx context.Context) (*pgx.Conn, error) { return pgx.ConnectConfig(ctx, master) },
	}, nil
}

// connConfig parses a URL and fixes what roles and databases could have set to our
// disadvantage. The connections notice when the server is gone.
func connConfig(url config.URL, application string, patience time.Duration) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(string(url))
	if err != nil {
		return nil, fmt.Errorf("parse URL %s: %w", url, err)
	}
	for name, value := range map[string]string{
		"application_name":                    application,
		"client_encoding":                     "UTF8",
		"search_path":                         "",
		"statement_timeout":                   "0",
		"lock_timeout":                        "0",
		"idle_in_transaction_session_timeout": "0",
		"idle_session_timeout":                "0",
		"default_transaction_read_only":       "off",
		"default_transaction_isolation":       "read committed",
		"standard_conforming_strings":         "on",
		"DateStyle":                           "ISO",
		"TimeZone":                            "UTC",
	} {
		c.RuntimeParams[name] = value
	}
	dial.Watch(&c.Config, patience)
	return c, nil
}

// Connect opens a connection to the master, or to the replica with the given name.
func (b *Bridge) Connect(ctx context.Context, replica string) (*pgx.Conn, error) {
	url, what := b.Config.Master.URL, "the master"
	if replica != "" {
		i := slices.IndexFunc(b.Config.Replicas, func(r config.Replica) bool { return r.Name == replica })
		if i < 0 {
			return nil, fmt.Errorf("no replica is named %q in the configuration", replica)
		}
		url, what = b.Config.Replicas[i].URL, "replica "+replica
	}
	c, err := connConfig(url, "bridge", b.Patience)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", what, err)
	}
	return conn, nil
}
