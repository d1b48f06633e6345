package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/schema"
	"github.com/pgbridge/pgbridge/sink"
)

// How a new replica is copied
//
// The stream stands at the log's head while the rows are read, in chunks, each in a
// short snapshot of its own; nothing on the master waits, and the sync table keeps
// what is committed meanwhile. Each chunk's rows and the snapshot that they were read
// with are stored in one transaction, so a copy that was killed goes on with the
// chunks that are missing. Then the stream goes on from where it stood: a change
// that all chunks of its table have seen is skipped, one that none has seen is
// applied as ever, and what lies between is applied leniently (see copied.mode).
// Behind the end of the youngest snapshot the replica is what the master was; then
// the indexes and constraints that could not hold on the way are made.

// Copy makes a new replica or goes on with it. See sink.Target.
func (t *Target) Copy(ctx context.Context, models sink.Models) (sink.State, error) {
	master, err := pgx.ConnectConfig(ctx, t.masterConfig())
	if err != nil {
		return sink.State{}, fmt.Errorf("connect to the master to copy from: %w", err)
	}
	defer master.Close(context.WithoutCancel(ctx))
	t.models = models
	state, err := t.read(ctx)
	if err != nil {
		return state, err
	}
	if state.Anchor.IsZero() {
		if err := t.startCopy(ctx, master, models); err != nil {
			return state, err
		}
	} else {
		t.o.Log.Info("copy goes on", "replica", t.o.Name)
	}
	if err := t.steps(ctx, "pre"); err != nil {
		return state, err
	}
	if err := t.copyRows(ctx, master); err != nil {
		return state, err
	}
	if err := t.steps(ctx, "keys"); err != nil {
		return state, err
	}
	consistent, err := markEnd(ctx, master)
	if err != nil {
		return state, err
	}
	if _, err := t.conn.Exec(ctx, `
		update bridge.position
		set state = 'catching_up', error = '', consistent_lsn = case
			when exists (select from bridge.copy_table where state = 'wanted') then $2::text::pg_lsn else $1::text::pg_lsn end`,
		consistent.String(), never.String()); err != nil {
		return state, t.wrap("end the copy", err)
	}
	t.o.Log.Info("rows are copied, now the blocks since", "replica", t.o.Name, "consistent_from", consistent)
	return t.read(ctx)
}

// markEnd returns a position behind everything that is visible on the master, and
// sees to it that a block comes that ends behind it.
func markEnd(ctx context.Context, master *pgx.Conn) (lsn change.LSN, err error) {
	if err := master.QueryRow(ctx, `select pg_catalog.pg_current_wal_insert_lsn()::text`).Scan(&lsn); err != nil {
		return 0, fmt.Errorf("ask for the master's position: %w", err)
	}
	if _, err := master.Exec(ctx, `select pg_catalog.pg_logical_emit_message(true, 'bridge.marker', 'copy')`); err != nil {
		return 0, fmt.Errorf("mark the end of the copy in the log: %w", err)
	}
	return lsn, nil
}

// onDisk returns when a crash of the master takes away nothing that snapshots have seen.
// A transaction that does not wait for the disk (synchronous_commit = off) is visible
// before it is there; were it lost, its rows would stay on the replica, and another
// transaction would get its xid.
func onDisk(ctx context.Context, master *pgx.Conn) error {
	if _, err := master.Exec(ctx, `select pg_catalog.pg_logical_emit_message(true, 'bridge.flush', '')`); err != nil {
		return fmt.Errorf("flush the master's write-ahead log: %w", err)
	}
	return nil
}

// startCopy fixes where the stream stands, and notes what is to be done.
func (t *Target) startCopy(ctx context.Context, master *pgx.Conn, models sink.Models) error {
	head, modelSum, model, err := t.start(ctx, master, models)
	if err != nil {
		return err
	}
	if err := t.findDefaults(ctx); err != nil {
		return err
	}
	wanted, err := t.rendered(model)
	if err != nil {
		return err
	}
	for _, what := range wanted.NotCovered {
		t.o.Log.Warn("not replicated", "replica", t.o.Name, "object", what)
	}
	// From here on the log keeps what follows.
	if _, err := master.Exec(ctx, `
		insert into bridge.replica (name, kind, epoch, seq, commit_lsn, checksum, state, registered_at, updated_at)
		values ($1, 'postgres', $2, $3, $4::text::pg_lsn, $5, 'copying', now(), now())
		on conflict (name) do update
		set epoch = excluded.epoch, seq = excluded.seq, commit_lsn = excluded.commit_lsn, checksum = excluded.checksum,
			state = excluded.state, error = '', registered_at = excluded.registered_at, updated_at = excluded.updated_at`,
		t.o.Name, head.Epoch, head.Seq, head.LSN.String(), head.Checksum[:]); err != nil {
		return fmt.Errorf("register replica %s on the master: %w", t.o.Name, err)
	}
	if err := waitVisible(ctx, master, head.Seq); err != nil {
		return err
	}
	tables, err := publishedTables(ctx, master, t.o.Publication)
	if err != nil {
		return err
	}
	// A table that was made since is brought by the stream, under the name it has by then.
	tables = slices.DeleteFunc(tables, func(p published) bool { return wanted.tables[p.oid] == nil })
	for i := range tables {
		tbl := wanted.tables[tables[i].oid]
		tables[i].schema, tables[i].name = tbl.Schema, tbl.Name
		if !tables[i].added {
			continue
		}
		var since uint64
		for done := false; !done; {
			if done, err = settled(ctx, master, &since); err != nil {
				return err
			}
			if !done {
				if err := pause(ctx, 50*time.Millisecond); err != nil {
					return err
				}
			}
		}
	}
	if err := t.refuseRows(ctx, tables); err != nil {
		return err
	}
	there, err := schema.Read(ctx, t.conn, schema.Options{})
	if err != nil {
		return t.wrap("read the schema", err)
	}
	steps := stepsFor(wanted.Model, there, schema.PreData, schema.Keys)
	anchor, err := commitlog.Anchor(ctx, master)
	if err != nil {
		return err
	}
	tx, err := t.conn.Begin(ctx)
	if err != nil {
		return t.wrap("start the copy", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // does nothing after the commit
	batch := &pgx.Batch{}
	for i, s := range steps {
		batch.Queue(`insert into bridge.copy_step (phase, ordinal, object, statement, roles) values ($1, $2, $3, $4, $5)`, s.phase, i, s.object, s.sql, s.roles)
	}
	for _, tbl := range tables {
		batch.Queue(`insert into bridge.copy_table (schema_name, table_name, relid, state, estimated_rows, estimated_bytes)
			values ($1, $2, $3, 'copying', $4, $5)`, tbl.schema, tbl.name, tbl.oid, tbl.rows, tbl.bytes)
	}
	commitlog.QueueModel(batch, model, head.Seq, nil)
	batch.Queue(`insert into bridge.epoch (epoch, after_seq, start_lsn, checksum, model, reason) values ($1, $2, $3::text::pg_lsn, $4, $5, 'copied from the master')
		on conflict do nothing`, anchor.Epoch, anchor.Seq, anchor.LSN.String(), anchor.Checksum[:], modelSum[:])
	batch.Queue(`insert into bridge.position (name, epoch, seq, commit_lsn, checksum, model, state, reduced) values ($1, $2, $3, $4::text::pg_lsn, $5, $6, 'copying', true)`,
		t.o.Name, head.Epoch, head.Seq, head.LSN.String(), head.Checksum[:], modelSum[:])
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return t.wrap("start the copy", err)
	}
	if err := tx.Commit(ctx); err != nil {
		return t.wrap("start the copy", err)
	}
	t.moved(head)
	t.modelSum, t.reduced = modelSum, true
	t.o.Log.Info("copy starts", "replica", t.o.Name, "tables", len(tables), "at", head.String())
	return nil
}

// start is the log's head, with a model that knows the schema: it comes with the first
// block after init.
func (t *Target) start(ctx context.Context, master *pgx.Conn, models sink.Models) (change.Position, change.Checksum, *change.Model, error) {
	for {
		head, sum, err := commitlog.Head(ctx, master)
		if err != nil {
			return head, sum, nil, err
		}
		model, err := models.Model(ctx, sum)
		if err != nil || model.Entry(change.Address{}) != nil {
			return head, sum, model, err
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return head, sum, nil, err
		}
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// waitVisible waits until new snapshots on the master see every block up to seq: a
// transaction is in the write-ahead log, and so in a block, a little before it
// becomes visible, and longer before with synchronous replication.
func waitVisible(ctx context.Context, master *pgx.Conn, seq int64) error {
	for {
		unseen, _, err := unseen(ctx, master, 0, seq)
		if err != nil || unseen == 0 {
			return err
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// unseen counts the blocks behind after and up to seq that the current snapshot does not see.
func unseen(ctx context.Context, master commitlog.Conn, after, seq int64) (blocks int, text string, err error) {
	if err := master.QueryRow(ctx, `select pg_catalog.pg_current_snapshot()::text`).Scan(&text); err != nil {
		return 0, "", fmt.Errorf("take a snapshot of the master: %w", err)
	}
	sn, err := parseSnapshot(text)
	if err != nil {
		return 0, "", err
	}
	running := make([]int64, len(sn.running))
	for i, xid := range sn.running {
		running[i] = int64(uint32(xid))
	}
	if err := master.QueryRow(ctx, `
		select count(*) from bridge.commit_block
		where seq > $1 and seq <= $2 and (xid = any($3) or (xid - $4 + 4294967296) % 4294967296 < 2147483648)`,
		after, seq, running, int64(uint32(sn.xmax))).Scan(&blocks); err != nil {
		return 0, "", fmt.Errorf("compare the log with a snapshot of the master: %w", err)
	}
	return blocks, text, nil
}

// masterConfig is how a copy reads the master: values in the canonical text form.
func (t *Target) masterConfig() *pgx.ConnConfig {
	config := t.o.Master.Copy()
	for _, name := range []string{"client_encoding", "DateStyle", "IntervalStyle", "TimeZone", "extra_float_digits", "bytea_output",
		"lc_monetary", "quote_all_identifiers", "search_path", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "row_security"} {
		config.RuntimeParams[name] = applyPins[name]
	}
	config.RuntimeParams["application_name"] = "bridge copy " + t.o.Name
	config.RuntimeParams["synchronous_commit"] = "local" // markEnd and onDisk wait for the disk
	return config
}

// published is a table of the publication, as it stands on the master.
type published struct {
	oid          uint32
	schema, name string
	rows, bytes  int64 // estimated
	added        bool  // it had rows when it was published
}

// publishedTables lists the tables whose rows are copied.
func publishedTables(ctx context.Context, master commitlog.Conn, publication string) ([]published, error) {
	rows, err := master.Query(ctx, `
		select c.oid, n.nspname, c.relname, greatest(c.reltuples, 0)::bigint, pg_catalog.pg_table_size(c.oid), a.relid is not null
		from pg_catalog.pg_publication p
		join pg_catalog.pg_publication_rel r on r.prpubid = p.oid
		join pg_catalog.pg_class c on c.oid = r.prrelid and c.relkind = 'r'
		join pg_catalog.pg_namespace n on n.oid = c.relnamespace
		left join bridge.added_table a on a.relid = c.oid
		where p.pubname = $1
		order by pg_catalog.pg_table_size(c.oid) desc, n.nspname, c.relname`, publication)
	if err != nil {
		return nil, fmt.Errorf("list the tables of publication %s: %w", publication, err)
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p published, err error) {
		err = row.Scan(&p.oid, &p.schema, &p.name, &p.rows, &p.bytes, &p.added)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("list the tables of publication %s: %w", publication, err)
	}
	return tables, nil
}

// refuseRows sees to it that no row of somebody else's is mixed with the master's.
func (t *Target) refuseRows(ctx context.Context, tables []published) error {
	for _, tbl := range tables {
		name := schema.Quote(tbl.schema, tbl.name)
		var there, rows bool
		if err := t.conn.QueryRow(ctx, `select pg_catalog.to_regclass($1) is not null`, name).Scan(&there); err != nil {
			return t.wrap("look up table "+name, err)
		}
		if !there {
			continue
		}
		if err := t.conn.QueryRow(ctx, "select exists (select from only "+name+")").Scan(&rows); err != nil {
			return t.wrap("look into table "+name, err)
		}
		if rows {
			return fmt.Errorf("replica %s is new, but its table %s has rows: empty it, or drop it, and it is copied from the master", t.o.Name, name)
		}
	}
	return nil
}

type step struct {
	phase, object, sql string
	roles              []string // that have to exist for a statement on privileges; nil for others
}

// stepsFor lists the statements that make what is wanted and not there yet.
func stepsFor(wanted, there *schema.Model, phases ...schema.Phase) []step {
	known := map[string]string{"schema public": "schema"}
	for _, o := range there.Objects {
		known[o.String()] = o.Definition
	}
	var steps []step
	names := map[schema.Phase]string{schema.PreData: "pre", schema.Keys: "keys", schema.PostData: "post"}
	for _, phase := range phases {
		for s := range wanted.Statements(phase) {
			have, there := known[s.Object.String()]
			switch {
			case isPrivileges(s.Object) && have != s.Object.Definition:
				steps = append(steps, step{names[phase], s.Object.String(), s.SQL, append([]string{}, s.Roles...)})
			case !there:
				steps = append(steps, step{names[phase], s.Object.String(), s.SQL, nil})
			}
		}
	}
	return steps
}

// steps executes the statements of a phase that are not done, each in a transaction
// that notes it.
func (t *Target) steps(ctx context.Context, phase string) error {
	rows, err := t.conn.Query(ctx, `select ordinal, object, statement, roles from bridge.copy_step where phase = $1 and not done order by ordinal`, phase)
	if err != nil {
		return t.wrap("read the steps of the copy", err)
	}
	type todo struct {
		Ordinal           int
		Object, Statement string
		Roles             []string
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[todo])
	if err != nil {
		return t.wrap("read the steps of the copy", err)
	}
	var names []string
	for _, s := range list {
		names = append(names, s.Roles...)
	}
	known, err := t.findRoles(ctx, names)
	if err != nil {
		return err
	}
	for n, s := range list {
		t.progress(Progress{Phase: phase, Object: s.Object, Done: int64(n), Total: int64(len(list))})
		err := pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
			var err error
			if s.Roles != nil {
				err = t.setPrivileges(ctx, s.Object, "", s.Statement, s.Roles, known)
			} else {
				_, err = tx.Exec(ctx, s.Statement, pgx.QueryExecModeSimpleProtocol)
			}
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `update bridge.copy_step set done = true where phase = $1 and ordinal = $2`, phase, s.Ordinal)
			return err
		})
		if err != nil {
			return t.wrap("create "+s.Object, err)
		}
	}
	return nil
}

// readCopies loads what is known of tables whose copy the stream has not passed.
func (t *Target) readCopies(ctx context.Context) error {
	rows, err := t.conn.Query(ctx, `
		select t.relid, t.state = 'wanted',
			t.state = 'wanted' or not t.planned or exists (select from bridge.copy_chunk m where m.relid = t.relid and m.snapshot is null),
			c.snapshot
		from bridge.copy_table t
		left join bridge.copy_chunk c on c.relid = t.relid and c.snapshot is not null and t.state <> 'wanted'`)
	if err != nil {
		return t.wrap("read the copy", err)
	}
	defer rows.Close()
	clear(t.copies)
	clear(t.tables)
	begun := map[uint32]bool{}
	for rows.Next() {
		var relid uint32
		var wanted, missing bool
		var text *string
		if err := rows.Scan(&relid, &wanted, &missing, &text); err != nil {
			return t.wrap("read the copy", err)
		}
		begun[relid] = !wanted
		if t.copies[relid] == nil {
			t.copies[relid] = &copied{missing: missing}
		}
		if text == nil {
			continue
		}
		sn, err := parseSnapshot(*text)
		if err != nil {
			return t.wrap("read the copy", err)
		}
		t.copies[relid].add(sn)
	}
	if rows.Err() != nil {
		return t.wrap("read the copy", rows.Err())
	}
	for relid := range t.jobs {
		if !begun[relid] {
			t.drop(relid)
		}
	}
	return nil
}

// finishCopy makes what could not hold while the tables were not consistent.
func (t *Target) finishCopy(ctx context.Context) error {
	model, err := t.models.Model(ctx, t.modelSum)
	if err != nil {
		return err
	}
	if err := t.findDefaults(ctx); err != nil {
		return err
	}
	wanted, err := t.rendered(model)
	if err != nil {
		return err
	}
	if t.reduced {
		if err := t.planPost(ctx, wanted.Model); err != nil {
			return err
		}
		if err := t.steps(ctx, "post"); err != nil {
			return err
		}
	}
	if err := t.validate(ctx, wanted.Model); err != nil {
		return err
	}
	if err := t.refreshNoted(ctx, wanted.Model); err != nil {
		return err
	}
	// From here on nothing is left out. Where this fails, the state is read again when the target is opened again.
	first := t.reduced
	t.consistent, t.reduced = 0, false
	clear(t.copies)
	clear(t.tables)
	if first { // before it says that it streams
		t.look.at = time.Time{} // the last look was at less
		if err := t.findDrift(ctx); err != nil {
			return err
		}
	}
	err = pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		for _, sql := range []string{
			`delete from bridge.copy_step`,
			`delete from bridge.copy_table where state <> 'wanted'`,
			`delete from bridge.copy_chunk c where not exists (select from bridge.copy_table t where t.relid = c.relid)`, // no key cascades here
			`update bridge.position set state = 'streaming', consistent_lsn = null, reduced = false`,
		} {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return t.wrap("end the copy", err)
	}
	t.o.Log.Info("replica is consistent", "replica", t.o.Name)
	return nil
}

// planPost notes what a new replica gets last, as the model has it that is in force now.
// The stream waits until it is made.
func (t *Target) planPost(ctx context.Context, wanted *schema.Model) error {
	var planned bool
	if err := t.conn.QueryRow(ctx, `select exists (select from bridge.copy_step where phase = 'post')`).Scan(&planned); err != nil || planned {
		return t.wrap("read the steps of the copy", err)
	}
	there, err := schema.Read(ctx, t.conn, schema.Options{})
	if err != nil {
		return t.wrap("read the schema", err)
	}
	batch := &pgx.Batch{}
	for i, s := range stepsFor(wanted, there, schema.PostData) {
		batch.Queue(`insert into bridge.copy_step (phase, ordinal, object, statement, roles) values ($1, $2, $3, $4, $5)`, s.phase, i, s.object, s.sql, s.roles)
	}
	return t.wrap("plan the end of the copy", pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error { return tx.SendBatch(ctx, batch).Close() }))
}

// Progress is a step of a copy.
type Progress struct {
	Replica     string
	Phase       string // pre, rows, keys, post
	Object      string
	Done, Total int64 // statements, or rows (estimated)
	Bytes       int64
}

func (t *Target) progress(p Progress) {
	if t.o.Progress != nil {
		p.Replica = t.o.Name
		t.o.Progress(p)
	}
}
