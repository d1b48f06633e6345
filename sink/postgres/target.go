// Package postgres is the PostgreSQL replica: it applies windows of commit blocks
// and copies the tables of a new replica.
//
// Rows, position and the replica's own copy of the log change in one transaction,
// so a transaction of the master is applied exactly once, whatever is killed.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/sink"
	"github.com/pgbridge/pgbridge/sql"
)

// Options describe a replica.
type Options struct {
	Name        string
	Config      *pgx.ConnConfig                 // the replica
	Master      *pgx.ConnConfig                 // where a copy is read from
	Publication string                          // its tables are copied
	Tables      func(schema, table string) bool // whose schema is copied; nil: all
	Workers     int                             // connections that copy at a time
	Prefetchers int                             // connections that read ahead what a large window will change
	ChunkBytes  int64                           // about how much of a table is copied under one snapshot; 0: 32 MiB
	ChunkRows   int64                           // but no fewer rows than this; 0: 10,000
	IndexBytes  int64                           // an index of a table that is larger is built beside the stream; 0: 64 MiB
	Progress    func(Progress)                  // told how a copy goes; may be nil
	Log         *slog.Logger
}

// Target is one PostgreSQL replica. See sink.Target for the contract.
type Target struct {
	o    Options
	conn *pgx.Conn // applies

	statements  map[string]*statement // prepared on conn, by their text
	checked     map[string]string     // statements that check themselves, by those that do not
	tables      map[*change.Relation]*table
	copies      map[uint32]*copied // by OID on the master: tables whose copy the stream has not passed
	upper       int64              // the replica's log has partitions for blocks below
	consistent  change.LSN         // while copies is not empty: where it ends
	prefetching *prefetching       // reads ahead; nil: not yet
	pace        pace               // with that and without; stays when the target is closed
	parsed      int                // statements prepared so far; names them

	models      sink.Models
	modelSum    change.Checksum // of the model in force at the position
	ahead       change.Checksum // of the model that the schema is at already, if that is another
	reduced     bool            // what a new replica gets last is not made yet
	ownDefaults bool            // the role that applies has default privileges
	version     int             // major version of the replica's server
	schemas     schemas
	done        map[change.Checksum]bool // models for which goAhead was called
	look        look                     // stays when the target is closed

	// The turn to write to the replica's tables; see again.go. It guards what stands above and the jobs.
	turn     sync.Mutex
	turned   *sync.Cond // something changed that somebody waits for
	applying bool       // the applier has the turn, or waits within a window
	waiting  *load      // what it waits for
	jobs     map[uint32]*job
	seen     int64  // new snapshots of the master see the blocks up to here
	failed   error  // of a worker
	early    *early // rows of a transaction that is open on the master; nil: there are none
	blocked  bool   // a window waits for locks of others: no index is built, whose locks may be among them; stays when the target is closed

	mu         sync.Mutex // guards what follows
	side       *pgx.Conn  // for Durable and Trim
	position   change.Position
	durability commitlog.Durability
	background *background // copies tables again
	builder    *background // builds indexes
	building   string      // the table whose index it builds
}

type tableName struct{ schema, name string }

var _ sink.Target = (*Target)(nil)

// New makes a target; it connects in Open.
func New(o Options) *Target {
	if o.Workers == 0 {
		o.Workers = 2
	}
	if o.ChunkBytes == 0 {
		o.ChunkBytes = 32 << 20
	}
	if o.ChunkRows == 0 {
		o.ChunkRows = 10_000
	}
	if o.IndexBytes == 0 {
		o.IndexBytes = 64 << 20
	}
	t := &Target{o: o}
	t.turned = sync.NewCond(&t.turn)
	return t
}

// applyPins are the settings of every connection that writes on a replica. The text
// form of values is that of change/FORMAT.md. Rows are found by index one by one:
// a join that is planned for a table that was empty then must not stay a scan.
var applyPins = map[string]string{
	"application_name":                    "bridge apply",
	"client_encoding":                     "UTF8",
	"DateStyle":                           "ISO",
	"IntervalStyle":                       "postgres",
	"TimeZone":                            "UTC",
	"extra_float_digits":                  "3",
	"bytea_output":                        "hex",
	"lc_monetary":                         "C",
	"xmloption":                           "content",
	"array_nulls":                         "on",
	"standard_conforming_strings":         "on",
	"quote_all_identifiers":               "off",
	"search_path":                         "",
	"statement_timeout":                   "0",
	"lock_timeout":                        "800ms", // less than deadlock_timeout: no reader is ever chosen as the victim of a deadlock with us
	"idle_in_transaction_session_timeout": "0",
	"idle_session_timeout":                "0",
	"default_transaction_isolation":       "read committed",
	"default_transaction_read_only":       "off",
	"default_transaction_deferrable":      "off",
	"row_security":                        "off",
	"check_function_bodies":               "off",
	"synchronous_commit":                  "off",
	"plan_cache_mode":                     "force_generic_plan",
	"enable_nestloop":                     "on",
	"enable_indexscan":                    "on",
	"enable_bitmapscan":                   "on",
	"enable_hashjoin":                     "off",
	"enable_mergejoin":                    "off",
	"enable_seqscan":                      "off",
	"enable_material":                     "off",
	"jit":                                 "off",
}

// pinned is the configuration of a connection with applyPins.
func (t *Target) pinned() *pgx.ConnConfig {
	config := t.o.Config.Copy()
	maps.Copy(config.RuntimeParams, applyPins)
	return config
}

// connect opens a connection to the replica on which triggers, rules and foreign
// keys are silent: what they did on the master is in the blocks.
func (t *Target) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, t.pinned())
	if err != nil {
		return nil, &sink.Unreachable{Err: fmt.Errorf("connect to replica %s: %w", t.o.Name, err)}
	}
	if _, err := conn.Exec(ctx, "set session_replication_role = replica"); err != nil {
		conn.Close(context.WithoutCancel(ctx))
		return nil, fmt.Errorf("replica %s: set session_replication_role: %w; grant it with: "+
			"grant set on parameter session_replication_role to <role> (PostgreSQL 15 or newer), or use a superuser", t.o.Name, err)
	}
	return conn, nil
}

// ApplyLock is the advisory lock of the one process that applies to a database.
const ApplyLock = 0x70676272 // "pgbr"

// Open connects, takes the replica, and reads where it stands. See sink.Target.
func (t *Target) Open(ctx context.Context) (state sink.State, err error) {
	if t.conn, err = t.connect(ctx); err != nil {
		return state, err
	}
	t.clear()
	mine, err := t.take(ctx)
	if err != nil {
		return state, err
	}
	if !mine {
		return state, fmt.Errorf("replica %s: %w", t.o.Name, sink.ErrTaken)
	}
	if err := t.install(ctx); err != nil {
		return state, err
	}
	if err := t.endBuilds(ctx); err != nil { // of a process that was killed
		return state, err
	}
	if err := t.conn.QueryRow(ctx, `select current_setting('server_version_num')::int / 10000`).Scan(&t.version); err != nil {
		return state, t.wrap("ask for the version", err)
	}
	return t.read(ctx)
}

// clear forgets what was known of a connection and what it is connected to.
func (t *Target) clear() {
	t.statements = map[string]*statement{}
	t.checked = map[string]string{}
	t.tables = map[*change.Relation]*table{}
	t.copies = map[uint32]*copied{}
	t.jobs, t.waiting, t.seen, t.failed = map[uint32]*job{}, nil, 0, nil
	t.schemas = schemas{}
	t.done = map[change.Checksum]bool{}
	t.upper = 0
	t.early = nil
}

// take gets the lock of the one who applies. The server may need a moment to notice
// that an earlier connection of ours has ended.
func (t *Target) take(ctx context.Context) (mine bool, err error) {
	for deadline := time.Now().Add(3 * time.Second); ; {
		if err := t.conn.QueryRow(ctx, `select pg_catalog.pg_try_advisory_lock($1)`, ApplyLock).Scan(&mine); err != nil {
			return false, t.wrap("take the replica", err)
		}
		if mine || time.Now().After(deadline) {
			return mine, nil
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// install makes the bridge's own tables on the replica.
func (t *Target) install(ctx context.Context) error {
	var there bool
	if err := t.conn.QueryRow(ctx, `
		select pg_catalog.to_regclass('bridge.pending_index') is not null`).Scan(&there); err != nil {
		return t.wrap("look for schema bridge", err)
	}
	if there {
		return nil
	}
	tx, err := t.conn.Begin(ctx)
	if err != nil {
		return t.wrap("create schema bridge", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // does nothing after the commit
	for _, script := range []string{sql.Log, sql.Replica} {
		if _, err := tx.Exec(ctx, script, pgx.QueryExecModeSimpleProtocol); err != nil {
			return t.wrap("create schema bridge", err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return t.wrap("create schema bridge", err)
	}
	return nil
}

// read finds the replica's state in its tables.
func (t *Target) read(ctx context.Context) (state sink.State, err error) {
	var sum, model, ahead []byte
	var phase string
	p := &state.Position
	err = t.conn.QueryRow(ctx, `
		select epoch, seq, commit_lsn::text, checksum, model, state, coalesce(consistent_lsn, '0/0')::text, reduced, coalesce(ahead, '')
		from bridge.position`).Scan(&p.Epoch, &p.Seq, &p.LSN, &sum, &model, &phase, &t.consistent, &t.reduced, &ahead)
	if errors.Is(err, pgx.ErrNoRows) {
		return sink.State{}, nil
	}
	if err != nil {
		return state, t.wrap("read the position", err)
	}
	if p.Checksum, err = change.ParseChecksum(sum); err != nil {
		return state, t.wrap("read the position", err)
	}
	if state.Model, err = change.ParseChecksum(model); err != nil {
		return state, t.wrap("read the position", err)
	}
	t.modelSum = state.Model
	if t.ahead, err = change.ParseChecksum(ahead); err != nil {
		t.ahead = change.Checksum{}
	}
	anchor, err := commitlog.Anchor(ctx, t.conn)
	if err != nil {
		return state, t.wrap("read the log's anchor", err)
	}
	state.Anchor = anchor.Checksum
	state.Ready = phase != "copying"
	if err := t.readCopies(ctx); err != nil {
		return state, err
	}
	t.moved(*p)
	return state, nil
}

// Stopped keeps the reason why the replica stands still. See sink.Target.
func (t *Target) Stopped(ctx context.Context, reason string) error {
	conn, err := t.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, `update bridge.position set error = $1, error_at = case when $1 <> '' then now() end where error <> $1`, reason)
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42P01" {
		return nil // nothing is there yet
	}
	return t.wrap("keep the reason", err)
}

// moved notes the position that the replica has now.
func (t *Target) moved(p change.Position) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.position = p
}

// Durable is the last position that survives a crash. See sink.Target. The replica
// commits without waiting for its disk: rows and position are lost together.
func (t *Target) Durable(ctx context.Context) (change.Position, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.sideConn(ctx); err != nil {
		return change.Position{}, err
	}
	durable, err := t.durability.Reached(ctx, t.side, t.position)
	return durable, t.wrap("report", err)
}

// Trim drops the stored blocks below keep. See sink.Target.
func (t *Target) Trim(ctx context.Context, keep int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.sideConn(ctx); err != nil {
		return err
	}
	return commitlog.Trim(ctx, t.side, keep)
}

// sideConn opens the second connection when there is none; mu is held.
func (t *Target) sideConn(ctx context.Context) (err error) {
	if t.side != nil && !t.side.IsClosed() {
		return nil
	}
	config := t.o.Config.Copy()
	config.RuntimeParams["application_name"] = "bridge side"
	if t.side, err = pgx.ConnectConfig(ctx, config); err != nil {
		t.side = nil
		return &sink.Unreachable{Err: fmt.Errorf("connect to replica %s: %w", t.o.Name, err)}
	}
	return nil
}

// Close ends the connections. See sink.Target.
func (t *Target) Close() {
	t.stop(&t.builder)
	t.stop(&t.background)
	t.stopPrefetching()
	if t.conn != nil {
		t.conn.Close(context.Background())
		t.conn = nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.side != nil {
		t.side.Close(context.Background())
		t.side = nil
	}
	t.position, t.durability = change.Position{}, commitlog.Durability{}
}

// wrap gives an error of the replica its place; a lost connection is marked.
func (t *Target) wrap(step string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("replica %s: %s: %w", t.o.Name, step, err)
	var pg *pgconn.PgError
	switch {
	case lost(err):
		return &sink.Unreachable{Err: err}
	case errors.As(err, &pg) && pg.Code == "55P03":
		return &sink.Blocked{Err: err}
	}
	return err
}

// lost says whether the error is one of the connection, not of a statement.
func lost(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "57P01", "57P02", "57P03", "57P05": // shut down, crashed, starting up, idle for too long
			return true
		}
		return pg.Code[:2] == "08"
	}
	var mismatch *sink.Mismatch
	return !errors.As(err, &mismatch) && (errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) || pgconn.SafeToRetry(err) || connectionBroken(err))
}
