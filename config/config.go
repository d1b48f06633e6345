// Package config reads the configuration of a bridge: one YAML file, and the environment over it.
//
// A Config that Load returned is complete and valid: defaults are filled in, URLs parse, names are usable and unique.
// When something is wrong, Load reports every fault at once, each with its key, and returns no Config.
// Secrets (passwords in URLs) are never part of an error, of String, or of a log line.
//
// # Environment
//
// Every key can be set from the environment, and the environment wins over the file. The variable's name is the
// key in upper case, with an underscore for each dot, after BRIDGE_:
//
//	master.url              BRIDGE_MASTER_URL
//	master.tables.include   BRIDGE_MASTER_TABLES_INCLUDE    comma separated: sales.*,public.orders
//	log.retain_for          BRIDGE_LOG_RETAIN_FOR
//	replicas[0].url         BRIDGE_REPLICAS_0_URL           counted from 0, in the order of the file
//
// A replica whose number follows the last one of the file is added. A variable that is set but empty counts as not
// set. A misspelt variable of one of the file's sections (BRIDGE_MASTER_…, BRIDGE_WINDOW_…) is a fault, as a
// misspelt key is; other variables that begin with BRIDGE_, and those that Kubernetes sets for services, are left alone.
//
// # Units
//
// Sizes are whole numbers with B, kB, MB, GB, TB or KiB, MiB, GiB, TiB; as in PostgreSQL's own settings all of
// them count in steps of 1024. A number alone is bytes. Durations are Go's (300ms, 1h30m), with days before them
// when needed (7d, 1d12h).
package config

import (
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Config is what one bridge is asked to do.
type Config struct {
	Master   Master
	Log      Log
	Window   Window
	Copy     Copy
	Prefetch Prefetch
	Replicas []Replica // in the order of the file; may be empty
}

// Master is the one server that takes writes, and what is read from it.
type Master struct {
	URL         URL
	Slot        string // replication slot: [a-z0-9_]{1,63}
	Publication string // 1 to 63 bytes
	Tables      Tables
}

// Log says how long commit blocks are kept.
type Log struct {
	RetainFor   time.Duration // > 0
	RetainBytes int64         // > 0
}

// Window limits how many transactions are flushed, sent or applied together.
type Window struct {
	Transactions int           // > 0
	Bytes        int64         // > 0
	Delay        time.Duration // ≥ 0; how long the first transaction waits for company
}

// Prefetch says how rows that a backlog will change are read ahead.
type Prefetch struct {
	Workers int // ≥ 0: connections to each replica
}

// Copy says how tables are copied to a replica.
type Copy struct {
	Workers int // > 0: connections to the master, and to each replica, at a time
}

// Replica is a database that receives the master's transactions.
type Replica struct {
	Name string // [A-Za-z0-9_-]{1,50}, unique, and not "master"
	URL  URL
	Zone string // where it stands; may be empty
}

// String shows the whole configuration, one "key: value" a line, passwords masked.
func (c *Config) String() string {
	var b strings.Builder
	for _, a := range c.attrs() {
		fmt.Fprintf(&b, "%s: %s\n", a.Key, a.Value)
	}
	return b.String()
}

// LogValue is the whole configuration as attributes, passwords masked.
func (c *Config) LogValue() slog.Value {
	return slog.GroupValue(c.attrs()...)
}

var _ slog.LogValuer = (*Config)(nil)

func (c *Config) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("master.url", c.Master.URL.String()),
		slog.String("master.slot", c.Master.Slot),
		slog.String("master.publication", c.Master.Publication),
		slog.String("master.tables.include", strings.Join(c.Master.Tables.Include, ",")),
		slog.String("master.tables.exclude", strings.Join(c.Master.Tables.Exclude, ",")),
		slog.Duration("log.retain_for", c.Log.RetainFor),
		slog.String("log.retain_bytes", formatSize(c.Log.RetainBytes)),
		slog.Int("window.transactions", c.Window.Transactions),
		slog.String("window.bytes", formatSize(c.Window.Bytes)),
		slog.Duration("window.delay", c.Window.Delay),
		slog.Int("copy.workers", c.Copy.Workers),
		slog.Int("prefetch.workers", c.Prefetch.Workers),
	}
	for i, r := range c.Replicas {
		attrs = append(attrs,
			slog.String(replicaKey(i, "name"), r.Name),
			slog.String(replicaKey(i, "url"), r.URL.String()),
			slog.String(replicaKey(i, "zone"), r.Zone),
		)
	}
	return attrs
}

// replicaKey is how a replica's key is written for people; viper's own path is replicas.0.url.
func replicaKey(i int, field string) string {
	return fmt.Sprintf("replicas[%d].%s", i, field)
}
