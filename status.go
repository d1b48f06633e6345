package pgbridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/sink/postgres"
)

// Status is where everything stands. Its JSON is what scripts rely on: keys may be
// added, never renamed. What could not be found out is null, or empty.
type Status struct {
	Master   MasterStatus    `json:"master"`
	Replicas []ReplicaStatus `json:"replicas"`
	Router   RouterStatus    `json:"router"`
}

// MasterStatus is what the master says of itself and of the log.
type MasterStatus struct {
	Reachable     bool       `json:"reachable"`
	ServerVersion string     `json:"server_version"`
	Slot          SlotStatus `json:"slot"`
	Epoch         int32      `json:"epoch"`
	Head          Head       `json:"head"`
	Log           LogStatus  `json:"log"`
	NotReplicated []string   `json:"not_replicated"`       // what of the schema replicas can not have; the first 20
	NotCount      int64      `json:"not_replicated_count"` // how many there are
	Error         string     `json:"error"`                // why the rest is not known; empty when all is
}

// SlotStatus is the replication slot. Active says that a tap reads it.
type SlotStatus struct {
	Name          string     `json:"name"`
	Active        bool       `json:"active"`
	WALStatus     string     `json:"wal_status"` // as in pg_replication_slots, or missing
	RetainedBytes int64      `json:"retained_bytes"`
	Confirmed     change.LSN `json:"confirmed_lsn"` // all before is in the log and on disk
}

// Head is the log's last block. Before the first one, it is the log's anchor, which
// has no commit time.
type Head struct {
	Seq        int64           `json:"seq"`
	LSN        change.LSN      `json:"commit_lsn"`
	CommitTime *time.Time      `json:"commit_time"`
	Checksum   change.Checksum `json:"checksum"`
	Model      change.Checksum `json:"model"`
}

// LogStatus is what the sync table holds, and what that takes on disk.
type LogStatus struct {
	Blocks    int64 `json:"blocks"`
	Bytes     int64 `json:"bytes"`
	OldestSeq int64 `json:"oldest_seq"`
}

// ReplicaStatus is one replica of the configuration.
type ReplicaStatus struct {
	Name      string          `json:"name"`
	Kind      string          `json:"kind"`
	Zone      string          `json:"zone"`
	Reachable bool            `json:"reachable"`
	State     string          `json:"state"`
	Position  change.Position `json:"position"` // the last one known, when it is not reachable
	Model     change.Checksum `json:"model"`
	Lag       Lag             `json:"lag"`
	Copy      *CopyStatus     `json:"copy,omitempty"` // while it is copied
	Pending   []string        `json:"pending"`        // indexes that are built beside the stream, and why one was not yet
	Drift     []string        `json:"drift"`          // what was changed by hand in its schema; the first 20 differences
	Error     string          `json:"error"`
}

// The states of a replica.
const (
	StateCopying     = "copying"
	StateCatchingUp  = "catching_up"
	StateStreaming   = "streaming"
	StateStopped     = "stopped"
	StateUnreachable = "unreachable"
)

// Lag is what a replica has not applied of the log; null where master or position is
// not known.
type Lag struct {
	Blocks  *int64   `json:"blocks"`
	Bytes   *int64   `json:"bytes"`   // content of the blocks; estimated for very many
	Seconds *float64 `json:"seconds"` // age of the oldest commit that is not applied
}

// CopyStatus is how far the copy of a new replica is, or of the tables that are copied again.
type CopyStatus struct {
	Tables     int64 `json:"tables"`
	TablesDone int64 `json:"tables_done"`
	Rows       int64 `json:"rows"` // estimated
	RowsDone   int64 `json:"rows_done"`
}

// RouterStatus counts what the router did.
type RouterStatus struct {
	Clients   int64            `json:"clients"`
	Reads     map[string]int64 `json:"reads"`
	Waits     int64            `json:"waits"`
	Fallbacks int64            `json:"fallbacks"`
}

const (
	// probeTimeout bounds what one server can hold up a status.
	probeTimeout = 3 * time.Second
	// farBehind is the lag from which a replica that streams is said to be catching up.
	farBehind = 10.0
	// exactLag is the lag in blocks up to which their bytes are counted.
	exactLag = 100_000
)

// Status asks all servers at the same time. It never fails: what does not answer in
// a few seconds is shown so.
func (b *Bridge) Status(ctx context.Context) *Status {
	s := &Status{Replicas: make([]ReplicaStatus, len(b.Config.Replicas)), Router: RouterStatus{Reads: map[string]int64{}}}
	seen := make([]replicaProbe, len(s.Replicas))
	var master masterProbe
	var probes sync.WaitGroup
	probes.Go(func() { master = b.probeMaster(ctx) })
	for i, r := range b.Config.Replicas {
		probes.Go(func() { seen[i] = b.probeReplica(ctx, r.Name) })
	}
	probes.Wait()
	defer master.close()
	s.Master = master.status
	for i, r := range b.Config.Replicas {
		p := &seen[i]
		told, known := master.told[r.Name]
		out := ReplicaStatus{Name: r.Name, Kind: "postgres", Zone: r.Zone, Reachable: p.err == nil, Position: p.position, Model: p.model, Copy: p.copy,
			Pending: append([]string{}, p.pending...), Drift: append([]string{}, p.drift...)}
		if !p.installed && known {
			out.Position = told.position
		}
		out.State, out.Error = p.judge(told)
		s.Replicas[i] = out
	}
	master.addLag(ctx, s)
	for i := range s.Replicas {
		if r := &s.Replicas[i]; r.State == StateStreaming && r.Lag.far(b.Config.Window.Transactions) {
			r.State = StateCatchingUp
		}
	}
	return s
}

func (l Lag) far(window int) bool {
	return l.Blocks != nil && *l.Blocks > int64(window) || l.Seconds != nil && *l.Seconds > farBehind
}

// masterProbe is what the master answered; its connection stays open for addLag.
type masterProbe struct {
	conn   *pgx.Conn
	status MasterStatus
	log    bool // there is one
	told   map[string]toldState
}

// toldState is what a replica's applier has told the master.
type toldState struct {
	position     change.Position
	state, error string
}

func (m *masterProbe) close() {
	if m.conn != nil {
		closeSoon(m.conn)
	}
}

// closeSoon takes leave of a server, which may not be there any more.
func closeSoon(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn.Close(ctx)
}

func (b *Bridge) probeMaster(ctx context.Context) (m masterProbe) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	m.status.Slot.Name, m.status.NotReplicated = b.Config.Master.Slot, []string{}
	conn, err := b.Connect(ctx, "")
	if err == nil {
		m.conn, m.status.Reachable = conn, true
		err = m.read(ctx)
	}
	if err != nil {
		m.status.Error = err.Error()
	}
	return m
}

func (m *masterProbe) read(ctx context.Context) error {
	s := &m.status
	err := m.conn.QueryRow(ctx, `
		select split_part(current_setting('server_version'), ' ', 1),
			coalesce(s.active, false), coalesce(s.wal_status, case when s.slot_name is null then 'missing' else 'unknown' end),
			coalesce(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end, s.restart_lsn), 0)::bigint,
			coalesce(s.confirmed_flush_lsn, '0/0')::text
		from (values (1)) one
		left join pg_replication_slots s on s.slot_name = $1 and s.database = current_database()`, s.Slot.Name).
		Scan(&s.ServerVersion, &s.Slot.Active, &s.Slot.WALStatus, &s.Slot.RetainedBytes, &s.Slot.Confirmed)
	if err != nil {
		return err
	}
	head, model, err := commitlog.Head(ctx, m.conn)
	if err != nil {
		return err
	}
	m.log = true
	s.Epoch = head.Epoch
	s.Head = Head{Seq: head.Seq, LSN: head.LSN, Checksum: head.Checksum, Model: model}
	err = m.conn.QueryRow(ctx, `
		select (select commit_time from bridge.commit_block where seq = $1),
			(select coalesce(min(seq), 0) from bridge.commit_block),
			(select coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint
				from pg_inherits
				where inhparent in ('bridge.commit_block'::regclass, 'bridge.commit_part'::regclass))`, head.Seq).
		Scan(&s.Head.CommitTime, &s.Log.OldestSeq, &s.Log.Bytes)
	if err != nil {
		return err
	}
	if err := m.readNotReplicated(ctx); err != nil {
		return err
	}
	if s.Log.OldestSeq > 0 {
		s.Log.Blocks = max(s.Head.Seq-s.Log.OldestSeq+1, 0)
	}
	rows, err := m.conn.Query(ctx, `
		select name, coalesce(epoch, 0), coalesce(seq, 0), coalesce(commit_lsn, '0/0')::text, coalesce(checksum, ''), state, error
		from bridge.replica`)
	if err != nil {
		return err
	}
	m.told = map[string]toldState{}
	for rows.Next() {
		var name string
		var sum []byte
		var t toldState
		if err := rows.Scan(&name, &t.position.Epoch, &t.position.Seq, &t.position.LSN, &sum, &t.state, &t.error); err != nil {
			return err
		}
		copy(t.position.Checksum[:], sum)
		m.told[name] = t
	}
	return rows.Err()
}

// readNotReplicated reads what the keeper has noted.
func (m *masterProbe) readNotReplicated(ctx context.Context) error {
	rows, err := m.conn.Query(ctx, `
		select object, count(*) over ()
		from bridge.not_replicated
		order by object
		limit 20`)
	if err != nil {
		return err
	}
	var object string
	_, err = pgx.ForEachRow(rows, []any{&object, &m.status.NotCount}, func() error {
		m.status.NotReplicated = append(m.status.NotReplicated, object)
		return nil
	})
	if isUndefined(err) {
		return nil // bridge init has not made it yet
	}
	return err
}

// addLag asks the master what the replicas have not applied.
func (m *masterProbe) addLag(ctx context.Context, s *Status) {
	if m.conn == nil || !m.log {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	head := s.Master.Head.Seq
	for i := range s.Replicas {
		r := &s.Replicas[i]
		if r.Position.Epoch == 0 {
			continue
		}
		blocks := max(head-r.Position.Seq, 0)
		var bytes int64
		var seconds float64
		err := m.conn.QueryRow(ctx, `
			select case when $3 then (select coalesce(sum(bytes), 0)::bigint from bridge.commit_block where seq > $1 and seq <= $2) else 0 end,
				coalesce((
					select greatest(extract(epoch from now() - commit_time), 0)
					from bridge.commit_block
					where seq > $1 and seq <= $2
					order by seq
					limit 1), 0)::float8`, r.Position.Seq, head, blocks <= exactLag).Scan(&bytes, &seconds)
		if err != nil {
			s.Master.Error = cmp.Or(s.Master.Error, err.Error())
			return
		}
		if blocks > exactLag {
			bytes = int64(float64(s.Master.Log.Bytes) / float64(max(s.Master.Log.Blocks, 1)) * float64(blocks))
		}
		r.Lag = Lag{&blocks, &bytes, &seconds}
	}
}

// replicaProbe is what a replica answered.
type replicaProbe struct {
	err       error // it did not
	installed bool  // it has a position
	position  change.Position
	model     change.Checksum
	state     string // of bridge.position
	problem   string // of bridge.position
	pending   []string
	drift     []string
	applying  bool // a bridge applies to it
	copy      *CopyStatus
}

// An applier that tries again lets go of the replica for a moment. Only one that is
// not there at any of several looks is not there.
const (
	applierLooks     = 4
	applierLookAfter = 100 * time.Millisecond
)

func (b *Bridge) probeReplica(ctx context.Context, name string) (p replicaProbe) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	conn, err := b.Connect(ctx, name)
	if err != nil {
		p.err = err
		return p
	}
	defer closeSoon(conn)
	for range applierLooks {
		if p.applying, p.err = Applying(ctx, conn); p.err != nil {
			return p
		}
		if p.err = p.read(ctx, conn); p.err != nil || p.applying || p.problem != "" {
			return p
		}
		sleep(ctx, applierLookAfter)
	}
	return p
}

func (p *replicaProbe) read(ctx context.Context, conn *pgx.Conn) error {
	var there bool
	err := conn.QueryRow(ctx, `select to_regclass('bridge.copy_chunk') is not null`).Scan(&there)
	if err != nil || !there {
		return err
	}
	var sum, model []byte
	// A replica that no newer bridge has applied to has no column for drift.
	err = conn.QueryRow(ctx, `
		select epoch, seq, commit_lsn::text, checksum, model, state, error, array(select jsonb_array_elements_text(to_jsonb(p) -> 'drift'))
		from bridge.position p`).
		Scan(&p.position.Epoch, &p.position.Seq, &p.position.LSN, &sum, &model, &p.state, &p.problem, &p.drift)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	p.installed = true
	copy(p.position.Checksum[:], sum)
	copy(p.model[:], model)
	pending, err := postgres.PendingIndexes(ctx, conn)
	if err != nil {
		return err
	}
	p.pending = nil
	for _, x := range pending {
		line := x.String()
		if x.Error != "" {
			line += ": " + x.Error
		}
		p.pending = append(p.pending, line)
	}
	if p.state != StateCopying && p.state != StateCatchingUp {
		return nil
	}
	var c CopyStatus
	var missing bool
	err = conn.QueryRow(ctx, `
		with chunk as (
			select relid, bool_or(snapshot is null) as missing, sum(rows) filter (where snapshot is not null) as rows
			from bridge.copy_chunk
			group by relid
		), tbl as (
			select state, estimated_rows, coalesce(c.rows, 0) as rows, state = 'wanted' or not planned or coalesce(c.missing, true) as missing
			from bridge.copy_table
			left join chunk c using (relid)
			where $1 or state <> 'copying' or not planned or c.missing -- those that are copied again
		)
		select count(*), count(*) filter (where state = 'copied'), coalesce(sum(estimated_rows), 0)::bigint,
			coalesce(sum(rows) filter (where state <> 'wanted'), 0)::bigint, coalesce(bool_or(missing), false)
		from tbl`, p.state == StateCopying).Scan(&c.Tables, &c.TablesDone, &c.Rows, &c.RowsDone, &missing)
	if err == nil && (p.state == StateCopying || missing) {
		p.copy = &c
	}
	return err
}

// Applying says whether a bridge applies to the replica that conn is connected to.
func Applying(ctx context.Context, conn *pgx.Conn) (applying bool, err error) {
	err = conn.QueryRow(ctx, `
		select exists (
			select
			from pg_locks
			where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())
				and classid = ($1::bigint >> 32)::oid and objid = ($1::bigint & 4294967295)::oid and objsubid = 1)`,
		int64(postgres.ApplyLock)).Scan(&applying)
	if err != nil {
		return false, fmt.Errorf("look for a bridge that applies: %w", err)
	}
	return applying, nil
}

// noBridge is the reason of a replica that stands still for want of someone to apply.
const noBridge = "no bridge is applying to this replica"

// judge tells the replica's state, and why it stands still if it does. What the
// replica says of itself goes before what its applier told the master.
func (p *replicaProbe) judge(told toldState) (state, problem string) {
	if p.err != nil {
		return StateUnreachable, p.err.Error()
	}
	problem = p.problem
	if problem == "" && told.state == StateStopped && p.position.Seq <= told.position.Seq {
		problem = told.error
	}
	switch {
	case problem != "":
		return StateStopped, problem
	case !p.applying && told.state == StateUnreachable:
		return StateStopped, noBridge + "; the last one could not reach it: " + told.error
	case !p.applying:
		return StateStopped, noBridge
	case !p.installed:
		return StateCopying, ""
	}
	return p.state, ""
}
