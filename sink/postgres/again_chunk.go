package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/schema"
)

// staging is where a worker reads a chunk to. It goes with the worker's connection, but one that a killed server has left can
// be there for minutes, without its file. So it has no column of a type that somebody could change or drop: see sqlStaging.
const staging = "pg_temp.bridge_chunk"

// copyNext copies the next chunk of a table; a notYet says that it can not be done now.
func (t *Target) copyNext(ctx context.Context, w *worker, oid uint32, j *job) error {
	s, begun, err := t.missing(ctx, w, oid)
	if err != nil || s == nil {
		return err
	}
	c, err := t.choose(ctx, w, s, j, begun)
	if err == nil {
		err = t.loadChunk(ctx, w, j, c, begun)
	}
	if err != nil {
		return fmt.Errorf("copy table %s again: %w", s.name, err)
	}
	return nil
}

// choose finds the chunk that is copied next.
func (t *Target) choose(ctx context.Context, w *worker, s *source, j *job, begun bool) (c chunk, err error) {
	c.table = s
	if err := s.measure(ctx, w.from); err != nil {
		return c, err
	}
	if err := s.describe(ctx, w.from); err != nil {
		return c, err
	}
	s.cut(t.o)
	planned := false
	if begun {
		if c, planned, err = t.next(ctx, w.to, s); err != nil {
			return c, err
		}
	} else if s.settle {
		done, err := settled(ctx, w.from, &j.settle)
		if err != nil {
			return c, err
		}
		if !done {
			return c, &notYet{"a transaction that may have written to it before it was published is open"}
		}
	}
	same := slices.EqualFunc(s.key, keyOf(s.shape), func(k keyColumn, definition string) bool { return k.definition == definition })
	switch {
	case !same && !c.whole():
		return c, &notYet{"its key is another on the master by now"}
	case same && !planned:
		if c.upper, err = t.endOf(ctx, w.from, c); undefined(err) {
			return c, &notYet{err.Error()}
		}
	}
	return c, err
}

// measure asks how large the table is by now.
func (s *source) measure(ctx context.Context, master *pgx.Conn) error {
	err := master.QueryRow(ctx, `
		select greatest(reltuples, 0)::bigint, coalesce(pg_catalog.pg_table_size(oid), 0) from pg_catalog.pg_class where oid = $1`,
		s.oid).Scan(&s.rows, &s.bytes)
	if errors.Is(err, pgx.ErrNoRows) {
		return &notYet{"it is not on the master any more"}
	}
	if err != nil {
		return fmt.Errorf("measure table %s: %w", s.name, err)
	}
	return nil
}

// missing is a table whose rows are missing, as it stands on the replica, and whether its copy
// has begun; nil when it is not to be copied any more.
func (t *Target) missing(ctx context.Context, w *worker, oid uint32) (s *source, begun bool, err error) {
	if err := t.between(ctx); err != nil {
		return nil, false, err
	}
	defer t.turn.Unlock()
	if c := t.copies[oid]; c == nil || !c.missing {
		return nil, false, nil
	}
	tbl, _, err := t.here(ctx, oid)
	if err != nil {
		return nil, false, err
	}
	if tbl == nil {
		if _, err := w.to.Exec(ctx, `delete from bridge.copy_table where relid = $1`, oid); err != nil {
			return nil, false, t.wrap("note that a table is gone", err)
		}
		delete(t.copies, oid)
		return nil, false, nil
	}
	s = &source{oid: oid, tableName: tableName{tbl.Schema, tbl.Name}, name: schema.Quote(tbl.Schema, tbl.Name), shape: tbl}
	err = w.to.QueryRow(ctx, `select state <> 'wanted', settle from bridge.copy_table where relid = $1`, oid).Scan(&begun, &s.settle)
	if errors.Is(err, pgx.ErrNoRows) {
		delete(t.copies, oid)
		return nil, false, nil
	}
	return s, begun, t.wrap("read the copy", err)
}

// here is a table as the replica has it now, and what is around it; the turn is held.
func (t *Target) here(ctx context.Context, oid uint32) (*schema.Table, *rendered, error) {
	model, err := t.models.Model(ctx, t.modelSum)
	if err != nil {
		return nil, nil, err
	}
	now, err := (&run{t: t, ctx: ctx, model: model}).around(oid)
	if err != nil {
		return nil, nil, err
	}
	return now.tables[oid], now, nil
}

// sameTable says whether a table is where it was and as it was, as far as copying its rows goes.
func sameTable(a, b *schema.Table) bool {
	return a != nil && b != nil && a.Schema == b.Schema && a.Name == b.Name && slices.Equal(keyOf(a), keyOf(b)) && sameColumns(a, b)
}

// keyOf describes the key by which a table's rows are found, and cut into chunks.
func keyOf(tbl *schema.Table) []string {
	names := tbl.Identity
	if tbl.ReplicaIdentity == 'f' {
		names = tbl.PrimaryKey
	}
	key := make([]string, len(names))
	for n, name := range names {
		for _, c := range tbl.Columns {
			if c.Name == name {
				key[n] = fmt.Sprintf("%d %s %s", c.Num, c.Type, c.Collation)
			}
		}
	}
	return key
}

// singles are how many single rows are read at a time.
const singles = 200

// next is the next chunk of a table whose copy has begun, and whether it was planned before.
func (t *Target) next(ctx context.Context, conn *pgx.Conn, s *source) (c chunk, planned bool, err error) {
	c.table = s
	rows, err := conn.Query(ctx, `
		select chunk, lower_key, upper_key from bridge.copy_chunk where relid = $1 and snapshot is null order by chunk limit $2`, s.oid, singles)
	if err != nil {
		return c, false, t.wrap("read the copy", err)
	}
	var number int
	var lower, upper []string
	_, err = pgx.ForEachRow(rows, []any{&number, &lower, &upper}, func() error {
		switch {
		case number < 0:
			c.numbers, c.single = append(c.numbers, number), append(c.single, lower)
		case c.single == nil:
			c.number, c.lower, c.upper = number, lower, upper
		}
		lower, upper = nil, nil
		planned = true
		return nil
	})
	if err != nil {
		return c, false, t.wrap("read the copy", err)
	}
	if !planned {
		c.number, c.lower, err = t.nextPlanned(ctx, conn, s.oid)
	}
	return c, planned, err
}

// reached says whether the stream has come to a position.
func (t *Target) reached(lsn change.LSN) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.position.LSN >= lsn
}

// loadChunk reads a chunk and gives its rows their place.
func (t *Target) loadChunk(ctx context.Context, w *worker, j *job, c chunk, begun bool) error {
	if err := w.lock(ctx, c.table.name); err != nil {
		return err
	}
	defer func() { w.read.Rollback(context.WithoutCancel(ctx)) }() // it only reads
	loading, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l := &load{cancel: cancel}
	text, err := t.register(ctx, w, j, l, c, begun)
	if err != nil {
		return err
	}
	rows, err := t.fill(loading, w, l, c)
	if err == nil {
		err = t.merge(loading, w, j, l, c, text, rows)
	}
	t.turn.Lock()
	if j.load == l {
		j.load = nil
		t.turned.Broadcast()
	}
	t.turn.Unlock()
	switch {
	case errors.Is(context.Cause(loading), errDropped):
		w.close() // in the middle of something
		return &notYet{errDropped.Error()}
	case doesNotFit(err):
		// The rows can be those of a later schema: a type that has more values, a check that is gone.
		w.read.Rollback(ctx) // it only read; what goes wrong here, markEnd meets
		later, laterErr := t.comesLater(ctx, w, l)
		if laterErr != nil {
			return laterErr
		}
		if later {
			return &notYet{err.Error()}
		}
	}
	return err
}

// comesLater says whether the schema is another where the stream comes to what the master is now.
func (t *Target) comesLater(ctx context.Context, w *worker, l *load) (bool, error) {
	lsn, err := markEnd(ctx, w.from)
	if err != nil {
		return false, err
	}
	t.turn.Lock()
	defer t.turn.Unlock()
	err = t.await(ctx, func() bool { return t.reached(lsn) })
	return t.modelSum != l.model, err
}

// register takes the snapshot of a chunk between two windows. From here on no change of the table
// that it does not see passes.
func (t *Target) register(ctx context.Context, w *worker, j *job, l *load, c chunk, begun bool) (text string, err error) {
	s := c.table
	if err := t.between(ctx); err != nil {
		return "", err
	}
	defer t.turn.Unlock()
	if text, err = t.snapshot(ctx, w, s.name); err != nil {
		return "", err
	}
	if l.snapshot, err = parseSnapshot(text); err != nil {
		return "", err
	}
	same, err := sameShape(ctx, w.read, s.shape)
	if err != nil {
		return "", err
	}
	again := &source{oid: s.oid, name: s.name}
	if err := again.describe(ctx, w.read); err != nil {
		return "", err
	}
	if !same || !slices.Equal(again.key, s.key) {
		return "", &notYet{"it is another table on the master by now"}
	}
	tbl, now, err := t.here(ctx, s.oid)
	if err != nil {
		return "", err
	}
	if !sameTable(tbl, s.shape) {
		return "", &notYet{"it has changed on the replica meanwhile"}
	}
	tx, err := w.to.Begin(ctx)
	if err != nil {
		return "", t.wrap("begin", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // does nothing after the commit
	tag, err := tx.Exec(ctx, `select from bridge.copy_table where relid = $1 and (state = 'copying') = $2 and state <> 'copied' for update`, s.oid, begun)
	if err != nil {
		return "", t.wrap("read the copy", err)
	}
	if tag.RowsAffected() == 0 {
		return "", &notYet{"another copy was asked for meanwhile"}
	}
	if !begun {
		t.o.Log.Info("table is copied", "replica", t.o.Name, "table", s.name)
		if err := t.beginTable(ctx, w.to, c, now); err != nil {
			return "", err
		}
	}
	if c.single == nil {
		batch := &pgx.Batch{}
		batch.Queue(`insert into bridge.copy_chunk (relid, chunk, lower_key, upper_key) values ($1, $2, $3, $4) on conflict do nothing`, s.oid, c.number, c.lower, c.upper)
		batch.Queue(`update bridge.copy_table set planned = planned or $2 where relid = $1 and state = 'copying'`, s.oid, c.upper == nil)
		if err := tx.SendBatch(ctx, batch).Close(); err != nil {
			return "", t.wrap("begin a chunk of "+s.name, err)
		}
	}
	if _, err := tx.Exec(ctx, "drop table if exists "+staging+"; create temporary table bridge_chunk as "+sqlStaging(tbl)+" with no data",
		pgx.QueryExecModeSimpleProtocol); err != nil {
		return "", t.wrap("begin a chunk of "+s.name, err)
	}
	if err := tx.Commit(ctx); err != nil {
		return "", t.wrap("begin a chunk of "+s.name, err)
	}
	if !begun {
		t.copies[s.oid] = &copied{missing: true}
	}
	l.first, l.model = t.copies[s.oid].oldest == nil, t.modelSum
	j.load = l
	return text, nil
}

// snapshot takes one that sees every block up to the replica's position. The stream waits so long
// for blocks that are not visible yet.
func (t *Target) snapshot(ctx context.Context, w *worker, table string) (text string, err error) {
	t.mu.Lock()
	position := t.position
	t.mu.Unlock()
	for patience := 100; ; patience-- {
		blocks, text, err := unseen(ctx, w.read, t.seen, position.Seq)
		switch {
		case err != nil:
			return "", fmt.Errorf("master: %w", err)
		case blocks == 0:
			t.seen = position.Seq // by every later snapshot, too
			return text, nil
		case patience == 0:
			return "", &notYet{fmt.Sprintf("%d blocks up to %d are not visible on the master yet", blocks, position.Seq)}
		}
		if err := w.read.Rollback(ctx); err != nil {
			return "", fmt.Errorf("master: %w", err)
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return "", err
		}
		if err := w.lock(ctx, table); err != nil {
			return "", err
		}
	}
}

// beginTable notes that the copy of a table has begun. One that comes in several chunks is
// empty from here on; another one is replaced as a whole.
func (t *Target) beginTable(ctx context.Context, conn *pgx.Conn, c chunk, now *rendered) error {
	s := c.table
	batch := &pgx.Batch{}
	batch.Queue(`delete from bridge.copy_chunk where relid = $1`, s.oid)
	batch.Queue(`update bridge.copy_table set state = 'copying', planned = false, estimated_rows = $2, estimated_bytes = $3 where relid = $1`, s.oid, s.rows, s.bytes)
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return t.wrap("begin to copy "+s.name, err)
	}
	if c.whole() {
		return nil
	}
	return t.makeRoom(ctx, conn, s.name, now)
}

// makeRoom empties a table that is filled step by step.
func (t *Target) makeRoom(ctx context.Context, conn *pgx.Conn, name string, now *rendered) error {
	var rows bool
	if err := conn.QueryRow(ctx, "select exists (select from only "+name+")").Scan(&rows); err != nil {
		return t.wrap("look into table "+name, err)
	}
	if rows {
		wake, err := t.silence(ctx, conn, name, now)
		if err != nil {
			return err
		}
		if err := t.empty(ctx, conn, name); err != nil {
			return err
		}
		if err := wake(); err != nil {
			return err
		}
	}
	return t.distrust(ctx, conn, name)
}

// fill reads the rows of a chunk into the staging table, and ends the snapshot.
func (t *Target) fill(ctx context.Context, w *worker, l *load, c chunk) (rows int64, err error) {
	var count counter
	if rows, err = t.transfer(ctx, w.from, w.to, c, staging, &count); err != nil {
		return 0, err
	}
	if err := w.read.Rollback(ctx); err != nil {
		return 0, fmt.Errorf("master: %w", err)
	}
	if l.first {
		return rows, onDisk(ctx, w.from)
	}
	l.end, err = markEnd(ctx, w.from) // it is on disk then, too
	return rows, err
}

// merge gives the rows of the staging table their place, in steps that do not hold up the stream for
// long, and notes the chunk with the last of them.
func (t *Target) merge(ctx context.Context, w *worker, j *job, l *load, c chunk, text string, rows int64) error {
	var size, page int64
	if err := w.to.QueryRow(ctx, `select pg_catalog.pg_relation_size('`+staging+`'), pg_catalog.current_setting('block_size')::bigint`).Scan(&size, &page); err != nil {
		return t.wrap("measure a chunk", err)
	}
	pages, step := size/page, max(1, t.o.ChunkBytes/page)
	var merged int64
	for from := int64(0); from == 0 || from < pages; {
		done, err := t.mergeStep(ctx, w, j, l, c, from, from+step, from+step >= pages, text, merged, rows)
		switch {
		case locked(err) && !t.isAwaited(l):
			t.o.Log.Debug("copy waits for a lock", "replica", t.o.Name, "table", c.table.name, "reason", err)
			if err := pause(ctx, retryCopy); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		merged += done
		from += step
	}
	return nil
}

// mergeStep merges some pages of the staging table.
func (t *Target) mergeStep(ctx context.Context, w *worker, j *job, l *load, c chunk, from, to int64, last bool, text string, merged, rows int64) (int64, error) {
	s := c.table
	t.turn.Lock()
	defer t.turn.Unlock()
	if err := t.await(ctx, func() bool {
		return j.load != l || t.waiting == l || !t.applying && (l.first || t.reached(l.end))
	}); err != nil {
		return 0, err
	}
	if j.load != l {
		return 0, &notYet{errDropped.Error()}
	}
	tbl, now, err := t.here(ctx, s.oid)
	if err != nil {
		return 0, err
	}
	if !sameTable(tbl, s.shape) {
		return 0, &notYet{"it has changed on the replica meanwhile"}
	}
	tx, err := w.to.Begin(ctx)
	if err != nil {
		return 0, t.wrap("begin", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) // does nothing after the commit
	// Somebody may ask for another copy.
	tag, err := tx.Exec(ctx, `select from bridge.copy_table where relid = $1 and state = 'copying' for update`, s.oid)
	if err != nil {
		return 0, t.wrap("read the copy", err)
	}
	if tag.RowsAffected() == 0 {
		return 0, &notYet{errDropped.Error()}
	}
	wake, err := t.silence(ctx, w.to, s.name, now)
	if err != nil {
		return 0, err
	}
	switch {
	case !c.whole():
		if _, err := tx.Exec(ctx, s.sqlReplaced(from, to), pgx.QueryExecModeSimpleProtocol); err != nil {
			return 0, t.wrap("merge a chunk of "+s.name, err)
		}
	case from == 0 && last:
		if err := t.empty(ctx, w.to, s.name); err != nil {
			return 0, err
		}
	case from == 0:
		if err := t.makeRoom(ctx, w.to, s.name, now); err != nil {
			return 0, err
		}
	}
	checks, err := t.suspendChecks(ctx, tx, s.name)
	if err != nil {
		return 0, err
	}
	if tag, err = tx.Exec(ctx, s.sqlMerge(tbl, from, to), pgx.QueryExecModeSimpleProtocol); err != nil {
		if collides(err) && !c.whole() {
			return 0, t.copyWhole(ctx, w.to, tx, j, s, now, err)
		}
		return 0, t.wrap("merge a chunk of "+s.name, err)
	}
	done := tag.RowsAffected()
	for _, sql := range checks {
		if _, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol); err != nil {
			return 0, t.wrap("make a constraint again", err)
		}
	}
	if err := wake(); err != nil {
		return 0, err
	}
	var complete bool
	if last {
		if merged+done != rows {
			return 0, fmt.Errorf("%d rows of %s were read and %d stored", rows, s.name, merged+done)
		}
		if complete, err = t.note(ctx, tx, c, text, rows); err != nil {
			return 0, t.wrap("note the chunk", err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return 0, t.wrap("commit the chunk", err)
	}
	if last {
		known := t.copies[s.oid]
		known.add(l.snapshot)
		known.missing = !complete
		j.load = nil
		t.turned.Broadcast()
	}
	return done, nil
}

// suspendChecks drops the check constraints of a table that are not valid, for rows that were there before them need not
// fulfil them, and returns the statements that make them again. One that comes from a parent goes with the parent's, and with all that
// come from that; those of them that are valid are so again.
func (t *Target) suspendChecks(ctx context.Context, tx pgx.Tx, name string) (again []string, err error) {
	rows, err := tx.Query(ctx, `
		with recursive above (oid, conname) as (
			select k.conrelid, k.conname
			from pg_catalog.pg_constraint k
			where k.conrelid = $1::pg_catalog.regclass and k.contype = 'c' and not k.convalidated
			union
			select k.conrelid, k.conname
			from above a
			join pg_catalog.pg_inherits i on i.inhrelid = a.oid
			join pg_catalog.pg_constraint k on k.conrelid = i.inhparent and k.conname = a.conname and k.contype = 'c' and not k.connoinherit
		), family (oid, conname, depth) as (
			select a.oid, a.conname, 0
			from above a
			join pg_catalog.pg_constraint k on k.conrelid = a.oid and k.conname = a.conname and k.contype = 'c' and k.coninhcount = 0
			union
			select i.inhrelid, f.conname, f.depth + 1
			from family f
			join pg_catalog.pg_inherits i on i.inhparent = f.oid
		)
		select m.oid::pg_catalog.regclass::text, pg_catalog.quote_ident(k.conname), pg_catalog.pg_get_constraintdef(k.oid),
			k.conislocal, k.convalidated, pg_catalog.quote_literal(pg_catalog.obj_description(k.oid, 'pg_constraint'))
		from (select f.oid, f.conname, max(f.depth) as depth from family f group by f.oid, f.conname) m
		join pg_catalog.pg_constraint k on k.conrelid = m.oid and k.conname = m.conname and k.contype = 'c'
		order by m.depth, k.conname, m.oid`, name)
	if err != nil {
		return nil, t.wrap("look for constraints of "+name, err)
	}
	var drops, after []string
	var table, constraint, definition string
	var local, valid bool
	var comment *string
	if _, err := pgx.ForEachRow(rows, []any{&table, &constraint, &definition, &local, &valid, &comment}, func() error {
		begin := "alter table " + table
		if valid {
			definition += " not valid" // as the parent's
			after = append(after, begin+" validate constraint "+constraint)
		}
		if local {
			drops = append(drops, begin+" drop constraint "+constraint)
			again = append(again, begin+" add constraint "+constraint+" "+definition)
		}
		if comment != nil {
			after = append(after, "comment on constraint "+constraint+" on "+table+" is "+*comment)
		}
		return nil
	}); err != nil {
		return nil, t.wrap("look for constraints of "+name, err)
	}
	for _, sql := range drops {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return nil, t.wrap("suspend a constraint of "+name, err)
		}
	}
	return append(again, after...), nil
}

// note notes a chunk, and says whether its table is complete.
func (t *Target) note(ctx context.Context, tx pgx.Tx, c chunk, text string, rows int64) (complete bool, err error) {
	if c.single == nil {
		_, err = tx.Exec(ctx, `update bridge.copy_chunk set snapshot = $3, rows = $4 where relid = $1 and chunk = $2`, c.table.oid, c.number, text, rows)
	} else {
		_, err = tx.Exec(ctx, `
			update bridge.copy_chunk set snapshot = $3, rows = 1 where relid = $1 and chunk = any($2)`, c.table.oid, c.numbers, text)
	}
	if err != nil {
		return false, err
	}
	tag, err := tx.Exec(ctx, `
		update bridge.copy_table t set state = 'copied'
		where relid = $1 and planned and not exists (select from bridge.copy_chunk c where c.relid = t.relid and c.snapshot is null)`, c.table.oid)
	return tag.RowsAffected() > 0, err
}

// copyWhole begins a table again, as one chunk: rows of different moments do not go together.
func (t *Target) copyWhole(ctx context.Context, conn *pgx.Conn, tx pgx.Tx, j *job, s *source, now *rendered, reason error) error {
	t.o.Log.Debug("table is copied as one chunk", "replica", t.o.Name, "table", s.name, "reason", reason)
	if err := tx.Rollback(ctx); err != nil {
		return t.wrap("give a chunk up", err)
	}
	again, err := conn.Begin(ctx)
	if err != nil {
		return t.wrap("begin", err)
	}
	defer again.Rollback(context.WithoutCancel(ctx)) // does nothing after the commit
	if err := t.makeRoom(ctx, conn, s.name, now); err != nil {
		return err
	}
	if err := t.planWhole(ctx, conn, s.oid); err != nil {
		return err
	}
	if err := again.Commit(ctx); err != nil {
		return t.wrap("plan the copy", err)
	}
	t.copies[s.oid] = &copied{missing: true}
	j.load = nil
	t.turned.Broadcast()
	return &notYet{reason.Error()}
}

// sqlReplaced deletes the rows whose place those of the staging table take.
func (s *source) sqlReplaced(from, to int64) string {
	where := make([]string, len(s.key))
	for i, k := range s.key {
		where[i] = fmt.Sprintf("t.%s operator(pg_catalog.=) s.%[1]s", k.name)
	}
	return fmt.Sprintf("delete from only %s t using %s s where %s and %s", s.name, staging, pagesOf("s", from, to), strings.Join(where, " and "))
}

// copiedColumns are the columns of a table that have values of their own, in order.
func copiedColumns(tbl *schema.Table) []schema.Column {
	return slices.DeleteFunc(slices.Clone(tbl.Columns), func(c schema.Column) bool { return c.Generated != "" })
}

// sqlStaging selects no rows, with the columns of the staging table: what is not of a built-in type is there as text.
func sqlStaging(tbl *schema.Table) string {
	var list []string
	for _, c := range copiedColumns(tbl) {
		name := schema.Quote(c.Name)
		if c.TypeOID >= change.FirstUserOID {
			name = "null::pg_catalog.text as " + name
		}
		list = append(list, name)
	}
	return "select " + strings.Join(list, ", ") + " from only " + schema.Quote(tbl.Schema, tbl.Name)
}

// sqlMerge inserts rows of the staging table.
func (s *source) sqlMerge(tbl *schema.Table, from, to int64) string {
	var names, values []string
	for _, c := range copiedColumns(tbl) {
		name := schema.Quote(c.Name)
		names = append(names, name)
		if c.TypeOID >= change.FirstUserOID {
			name += "::" + c.Type
		}
		values = append(values, name)
	}
	list := ""
	if len(names) > 0 {
		list = "(" + strings.Join(names, ", ") + ") overriding system value "
	}
	return fmt.Sprintf("insert into %s %sselect %s from %s s where %s", s.name, list, strings.Join(values, ", "), staging, pagesOf("s", from, to))
}

// pagesOf is a condition for the rows of some pages.
func pagesOf(name string, from, to int64) string {
	return fmt.Sprintf("%s.ctid >= '(%d,0)'::pg_catalog.tid and %[1]s.ctid < '(%[3]d,0)'::pg_catalog.tid", name, from, to)
}

// isAwaited says whether a window waits for the chunk: it may hold the lock itself.
func (t *Target) isAwaited(l *load) bool {
	t.turn.Lock()
	defer t.turn.Unlock()
	return t.waiting == l
}

// settled says whether every transaction has ended that may have written to the table
// before it was published: what such a transaction wrote then is not in the
// stream, even when it commits later. Read-only transactions do not count. It is
// called until it holds; since is kept in between.
func settled(ctx context.Context, master commitlog.Conn, since *uint64) (bool, error) {
	var text string
	if err := master.QueryRow(ctx, `select pg_catalog.pg_current_snapshot()::text`).Scan(&text); err != nil {
		return false, fmt.Errorf("take a snapshot of the master: %w", err)
	}
	sn, err := parseSnapshot(text)
	if err != nil {
		return false, err
	}
	if *since == 0 {
		*since = sn.xmax
	}
	return sn.xmin >= *since, nil
}

// sameShape says whether the master's table has the columns that the model gives it,
// under the snapshot of read.
func sameShape(ctx context.Context, read pgx.Tx, tbl *schema.Table) (bool, error) {
	rows, err := read.Query(ctx, `
		select a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod)
		from pg_catalog.pg_class c
		join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
		where c.oid = $1 and c.oid = pg_catalog.to_regclass($2)
		order by a.attnum`, tbl.OID, schema.Quote(tbl.Schema, tbl.Name))
	if err != nil {
		return false, fmt.Errorf("master: look up table %s: %w", tbl.Name, err)
	}
	same, n := true, 0
	var num int16
	var name, typ string
	_, err = pgx.ForEachRow(rows, []any{&num, &name, &typ}, func() error {
		same = same && n < len(tbl.Columns) && tbl.Columns[n].Num == num && tbl.Columns[n].Name == name && tbl.Columns[n].Type == typ
		n++
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("master: look up table %s: %w", tbl.Name, err)
	}
	return same && n == len(tbl.Columns), nil
}
