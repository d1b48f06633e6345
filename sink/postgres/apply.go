package postgres

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/schema"
	"github.com/pgbridge/pgbridge/sink"
)

// Apply applies a window. See sink.Target.
//
// The changes of the window are merged to their net effect per key and applied with
// one statement a table and kind, deletes first, then updates, then inserts: within
// one transaction nobody sees the way, only its end. Foreign keys and triggers are
// silent here, so tables do not depend on each other. What can not be merged
// (a key that changes, a table without a key, truncate) is applied in its place.
// Where merging goes wrong, as with two rows that swap a unique value, the window
// fails, and is applied in order.
func (t *Target) Apply(ctx context.Context, w *sink.Window, models sink.Models, inOrder bool) error {
	if err := t.takeTurn(); err != nil {
		return err
	}
	defer t.giveTurn()
	t.models = models
	err := t.window(ctx, w, inOrder)
	var blocked *sink.Blocked
	if errors.As(err, &blocked) {
		t.dropEarly() // it may be what is in the way
	}
	t.giveWay(err)
	return err
}

func (t *Target) window(ctx context.Context, w *sink.Window, inOrder bool) error {
	err := t.apply(ctx, w, inOrder)
	var first *ahead
	var ahead *contradiction
	var wrong *unfit
	var mismatch *sink.Mismatch
	var cut *halfway
	switch {
	case err == nil:
	case w.Growing, errors.Is(err, commitlog.ErrGone):
		return err // and nothing is done about it: there may be nothing to it
	case errors.As(err, &cut):
		first, rest := w.Split(cut.seq)
		if err := t.window(ctx, first, inOrder); err != nil {
			return err
		}
		return t.window(ctx, rest, inOrder)
	case errors.As(err, &first):
		if err := t.goAhead(ctx, first); err != nil {
			return err
		}
		return t.applyAgain(ctx, w, inOrder, err)
	case errors.As(err, &ahead):
		if err := t.wantAgain(ctx, ahead); err != nil {
			return err
		}
		return t.applyAgain(ctx, w, inOrder, err)
	case errors.As(err, &wrong) && w.Parts == nil && errors.As(err, &mismatch) && mismatch.Seq > w.Blocks[0].Seq:
		first, rest := w.Split(mismatch.Seq)
		if err := t.window(ctx, first, inOrder); err != nil {
			return err
		}
		return t.window(ctx, rest, inOrder)
	case errors.As(err, &wrong):
		found, lookErr := t.lookAhead(ctx, w, err)
		if lookErr != nil || !found {
			return cmp.Or(lookErr, err)
		}
		return t.applyAgain(ctx, w, inOrder, err)
	case !t.ahead.IsZero() && inOrder && errors.As(err, &mismatch) && mismatch.OID != 0:
		t.o.Log.Warn("rows do not fit the schema, which is ahead", "replica", t.o.Name, "reason", err)
		if err := t.wantAgain(ctx, &contradiction{mismatch.OID, false, err}); err != nil {
			return err
		}
		return t.applyAgain(ctx, w, inOrder, err)
	default:
		return err
	}
	after := w.After()
	t.moved(after)
	if t.early != nil && t.early.rows.Passed(after.LSN) {
		t.dropEarly() // its block was applied, and it was of no use
	}
	t.copyAgain(ctx)
	if t.consistent != 0 && after.LSN >= t.consistent {
		return t.finishCopy(ctx)
	}
	return nil
}

// applyAgain applies a window behind what it was missing. The parts of a large block
// can be read once only: then the error says to begin again.
func (t *Target) applyAgain(ctx context.Context, w *sink.Window, inOrder bool, err error) error {
	if w.Parts != nil {
		return err
	}
	return t.window(ctx, w, inOrder)
}

// apply applies the window in one transaction. A small one takes a single round trip, in which the server itself refuses what does not fit;
// only without that it can be told what it was.
func (t *Target) apply(ctx context.Context, w *sink.Window, inOrder bool) error {
	if err := t.partition(ctx, w.Blocks[0].Seq, w.After().Seq); err != nil {
		return err
	}
	if w.Parts != nil && !inOrder {
		if e := t.claim(&w.Blocks[0].Block); e != nil {
			return t.applyEarly(ctx, w, e)
		}
	}
	if !inOrder && small(w) && len(t.copies) == 0 {
		if err := t.attempt(ctx, w, false, true); !errors.Is(err, errRows) {
			return err
		}
	}
	return t.attempt(ctx, w, inOrder, false)
}

// What is gained by a round trip less is lost again by the server's own counting if there is more than this.
const (
	smallBlocks = 8
	smallBytes  = 16 << 10
)

func small(w *sink.Window) bool {
	size := 0
	for i := range w.Blocks {
		size += len(w.Blocks[i].Content)
	}
	return w.Parts == nil && len(w.Blocks) <= smallBlocks && size <= smallBytes
}

func (t *Target) attempt(ctx context.Context, w *sink.Window, inOrder, strict bool) error {
	r := t.begin(ctx, inOrder, strict)
	r.flight.exec("begin", nil, nil, nil, nil)
	if inOrder {
		r.flight.exec("set constraints all deferred", nil, nil, nil, nil)
	}
	r.beginPrefetch(w)
	if !inOrder && t.plain(w) {
		r.stored = true
		r.flight.beside(func() error { return t.store(ctx, w, nil) })
	}
	err := r.whole(w)
	if err == nil {
		r.endPrefetch(w)
	}
	return err
}

// plain says whether the window has many blocks, and nothing in them but rows of tables as they are: then the server can store the blocks while their changes are merged.
func (t *Target) plain(w *sink.Window) bool {
	return w.Parts == nil && len(w.Blocks) >= commitlog.CopyFrom && len(t.copies) == 0 && t.ahead.IsZero() && w.ChangesOfModel() == 0
}

// store stores the window's blocks in the replica's own log; a few are queued in the batch.
func (t *Target) store(ctx context.Context, w *sink.Window, batch *pgx.Batch) error {
	blocks := make([]commitlog.Block, len(w.Blocks))
	for i := range w.Blocks {
		blocks[i] = w.Blocks[i].Block
	}
	return t.wrap(fmt.Sprintf("store blocks up to %d", w.After().Seq), commitlog.StoreBlocks(ctx, t.conn, batch, blocks))
}

func (t *Target) begin(ctx context.Context, inOrder, strict bool) *run {
	r := &run{t: t, ctx: ctx, flight: t.takeOff(ctx), inOrder: inOrder, batches: map[*table]*batch{}, wanted: map[uint32]bool{}, touched: map[uint32]bool{}}
	r.flight.strict = strict
	return r
}

// whole applies the window in the transaction that is open, and commits it.
func (r *run) whole(w *sink.Window) (err error) {
	t, ctx, strict := r.t, r.ctx, r.flight.strict
	last := &w.Blocks[len(w.Blocks)-1]
	if r.model, err = t.models.Model(ctx, w.Model); err != nil {
		return r.abandon(err)
	}
	if w.Parts != nil {
		err = r.large(w)
	} else {
		for i := range w.Blocks {
			if err = r.changes(&w.Blocks[i].Block, w.Blocks[i].Content); err != nil {
				break
			}
		}
		if err == nil {
			err = r.flush()
		}
	}
	if err != nil {
		return r.abandon(err)
	}
	r.wake()
	r.position(w.Before, last)
	if strict && !r.flight.unchecked && len(r.evolved) == 0 && len(r.wanted) == 0 {
		for i := range w.Blocks {
			formats, sql, types, params := commitlog.InsertBlock(&w.Blocks[i].Block)
			r.flight.execIn(formats, sql, types, params, nil, nil)
		}
		r.flight.exec("commit", nil, nil, nil, nil)
		if err := r.flight.land(); err != nil {
			return r.abandon(err)
		}
		return r.committed(w)
	}
	if err := r.flight.land(); err != nil {
		return r.abandon(err)
	}
	return r.commit(w)
}

// run is one attempt to apply a window.
type run struct {
	t       *Target
	ctx     context.Context
	flight  *flight
	model   *change.Model   // in force at the change that is read
	evolved []evolved       // models that came into force in the window
	began   *change.Model   // the one in force before the first of these
	wanted  map[uint32]bool // by OID: tables that are to be copied since
	touched map[uint32]bool // by OID: of the tables whose copy the stream has not passed, those that were changed
	silent  map[*table]bool // tables whose triggers are switched off
	early   *earlyRows      // nil: none are there
	stored  bool            // the window's blocks are, or are just being stored

	prefetches prefetches

	caughtUp bool        // the stream has come to where the schema was ahead
	between  []*rendered // of a run that goes ahead: where to, and where from
	inOrder  bool

	batches map[*table]*batch
	order   []*batch
	values  arena
	scratch []byte

	// Of a large block that is not applied in order:
	bulk    bool
	inserts struct { // in a row
		tbl *table
		row int
	}
	pouring *copyIn
	parts   []storedPart // to be stored
}

// evolved is a model that came into force in a block.
type evolved struct {
	model *change.Model
	seq   int64
}

// abandon ends the transaction behind an error. What was sent before is waited for,
// since its failure may be the reason.
func (r *run) abandon(err error) error {
	var corrupt *commitlog.CorruptError
	if failed := r.cut(); failed != nil && !errors.As(err, &corrupt) {
		err = failed
	}
	if landed := r.flight.land(); landed != nil && !errors.As(err, &corrupt) {
		err = landed
	}
	if !r.t.conn.IsClosed() {
		r.t.conn.Exec(r.ctx, "rollback") // else the connection ends, and the transaction with it
	}
	var blocked *sink.Blocked
	if errors.As(err, &blocked) {
		blocked.Evolving = len(r.evolved) > 0
	}
	return err
}

// changes takes the changes of a block's content.
func (r *run) changes(b *commitlog.Block, content []byte) error {
	reader := change.NewReader(content)
	var c change.Change
	for {
		start := reader.At()
		more, err := reader.Next(&c)
		if err != nil {
			return fmt.Errorf("block %d: %w", b.Seq, err)
		}
		if !more {
			return nil
		}
		if passed, err := r.pass(&c, content[start:reader.At()]); passed {
			continue
		} else if err != nil {
			return err
		}
		if err := r.change(b, &c); err != nil {
			return err
		}
	}
}

func (r *run) change(b *commitlog.Block, c *change.Change) error {
	if r.bulk && (c.Op != change.Insert || r.inserts.tbl == nil || r.inserts.tbl.rel.OID != c.Relation) {
		if err := r.poured(); err != nil {
			return err
		}
	}
	switch c.Op {
	case change.Evolve:
		model, err := r.t.models.Model(r.ctx, c.Model)
		if err != nil {
			return fmt.Errorf("block %d: %w", b.Seq, err)
		}
		// A table can be another under the next model, and the same again under one after
		// that: what is gathered must not be overtaken.
		if err := r.flush(); err != nil {
			return err
		}
		return r.evolve(b, model)
	case change.Rows:
		return r.rows(b, c)
	case change.Truncate:
		return r.truncate(b, c)
	}
	rel := r.model.Relation(c.Relation)
	if rel == nil {
		return fmt.Errorf("block %d: relation %d is not in model %s", b.Seq, c.Relation, r.model.Checksum())
	}
	if gone, err := r.isGone(c.Relation); err != nil || gone || r.wanted[c.Relation] {
		return err
	}
	mode, err := r.mode(c.Relation, b.Seq, b.XID)
	if err != nil || mode == skip {
		return err
	}
	tbl, err := r.table(rel)
	if err != nil {
		return &unfit{r.at(b.Seq, nil, nil, err)}
	}
	if c.Op != change.Delete && len(c.New) != len(rel.Columns) || c.OldKind != change.OldNone && len(c.Old) != len(rel.Columns) {
		return fmt.Errorf("block %d: a row of table %s has %d columns, want %d", b.Seq, rel, len(c.New), len(rel.Columns))
	}
	if r.inOrder {
		return r.row(tbl, b.Seq, c, mode)
	}
	if r.bulk && c.Op == change.Insert && mode == strict {
		if done, err := r.pour(tbl, b.Seq, c.New); done || err != nil {
			return err
		}
	}
	return r.merge(tbl, b.Seq, c, mode)
}

// table finds the relation on the replica, behind what was sent before.
func (r *run) table(rel *change.Relation) (*table, error) {
	if known := r.t.tables[rel]; known != nil {
		r.silence(known)
		return known, nil
	}
	if err := r.flight.land(); err != nil {
		return nil, err
	}
	// A rename of the schema does not reach RELATION messages at once: the model knows.
	now, err := r.around(rel.OID)
	if err != nil {
		return nil, err
	}
	name := schema.Quote(rel.Schema, rel.Name)
	if tbl := now.tables[rel.OID]; tbl != nil {
		name = schema.Quote(tbl.Schema, tbl.Name)
	}
	tbl, err := r.t.table(r.ctx, rel, name, now)
	if err == nil {
		r.silence(tbl)
	}
	return tbl, err
}

// row applies one change where it stands.
func (r *run) row(tbl *table, seq int64, c *change.Change, mode mode) error {
	if mode == lenient {
		return r.rowLenient(tbl, seq, c)
	}
	old, changed := tbl.oldRow(c)
	switch c.Op {
	case change.Insert:
		sql, types := tbl.sqlInsert()
		r.exec(tbl, seq, c.New, sql, types, paramsOf(c.New))
	case change.Update:
		sql, types, params := tbl.sqlUpdate(old, c.New, changed)
		r.exec(tbl, seq, old, sql, types, params)
	case change.Delete:
		sql, types, params := tbl.sqlDelete(old)
		r.exec(tbl, seq, old, sql, types, params)
	}
	return nil
}

// oldRow is the row as it can be found before the change, and whether its key changes.
func (tbl *table) oldRow(c *change.Change) (old change.Tuple, keyChanges bool) {
	if c.Op == change.Insert {
		return nil, false
	}
	if c.OldKind == change.OldNone {
		return c.New, false
	}
	if c.Op == change.Delete {
		return c.Old, false
	}
	if len(tbl.key) == 0 {
		return c.Old, true
	}
	for _, i := range tbl.key {
		n := &c.New[i]
		if n.Kind == change.Unchanged {
			*n = c.Old[i] // a key that is stored out of line comes with the old row
		}
		if n.Kind != c.Old[i].Kind || string(n.Data) != string(c.Old[i].Data) {
			keyChanges = true
		}
	}
	return c.Old, keyChanges
}

// exec sends a statement that has to change exactly one row.
func (r *run) exec(tbl *table, seq int64, row change.Tuple, sql string, types []uint32, params [][]byte) {
	// The row's buffers may be reused before the answer comes.
	key := tbl.describe(row)
	r.flight.expect(1, sql, types, params, func(rows int64) error {
		return r.at(seq, tbl, nil, &sink.Mismatch{Key: key, Reason: fmt.Sprintf("the row is not there as the block expects it (%d rows match)", rows)})
	}, func(err error) error { return r.refused(seq, tbl, key, err) })
}

// refused makes what the server says to a statement on a table an error with its place:
// a mismatch, unless the reason lies with the server.
func (r *run) refused(seq int64, tbl *table, key string, err error) error {
	if passing(err) {
		return r.t.wrap(fmt.Sprintf("apply block %d to table %s", seq, tbl.rel), err)
	}
	if c := r.t.copies[tbl.rel.OID]; r.inOrder && collides(err) && c != nil && c.mixed() {
		return &contradiction{tbl.rel.OID, true, err}
	}
	if r.inOrder && r.hasOldLabel(tbl.rel.OID, err) {
		return &contradiction{tbl.rel.OID, false, err}
	}
	return r.at(seq, tbl, nil, &sink.Mismatch{Key: key, Reason: err.Error()})
}

// hasOldLabel says whether a row may have been written under a label that another transaction has renamed before this one ended: the
// server writes it as it was called then. What it is called now tells a copy.
func (r *run) hasOldLabel(oid uint32, err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "22P02" {
		return false
	}
	now, err := r.around(oid)
	if err != nil || now.tables[oid] == nil {
		return false
	}
	return slices.ContainsFunc(now.tables[oid].Columns, func(c schema.Column) bool { return c.TypeOID >= change.FirstUserOID })
}

// passing says whether the error is not one of rows or tables, but passes with its cause: no space
// left, a deadlock, a lock or the statement's end by hand, a missing privilege.
func passing(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code[:2] {
	case "53", "57", "58", "40", "55":
		return true
	}
	return pg.Code == "42501" || pg.Code == "25006"
}

// at completes a mismatch with its place.
func (r *run) at(seq int64, tbl *table, row change.Tuple, err error) error {
	m, ok := err.(*sink.Mismatch)
	if !ok {
		return err
	}
	m.Replica, m.Seq = r.t.o.Name, seq
	if tbl != nil {
		m.Table, m.OID = tbl.rel.String(), tbl.rel.OID
		if row != nil {
			m.Key = tbl.describe(row)
		}
		if m.Remedy == "" {
			m.Remedy = fmt.Sprintf("compare with bridge check --replica %s --table %s, then repair the row by hand or copy the table again with bridge repair --replica %s --table %s",
				m.Replica, m.Table, m.Replica, m.Table)
		}
	}
	return m
}

func paramsOf(row change.Tuple) [][]byte {
	params := make([][]byte, len(row))
	for i := range row {
		params[i] = param(row[i])
	}
	return params
}

// truncate empties tables. All of them were named or reached by cascade on the
// master; a table that others refer to is emptied by delete, since the others may be
// partitioned tables, which are not in the list.
func (r *run) truncate(b *commitlog.Block, c *change.Change) error {
	r.t.dropEarly() // which has locks
	if err := r.flush(); err != nil {
		return err
	}
	plain := ""
	for _, oid := range c.Relations {
		rel := r.model.Relation(oid)
		if rel == nil {
			return fmt.Errorf("block %d: relation %d is not in model %s", b.Seq, oid, r.model.Checksum())
		}
		gone, err := r.isGone(oid)
		if err != nil {
			return err
		}
		if gone || r.wanted[oid] {
			continue
		}
		if mode, err := r.mode(oid, b.Seq, b.XID); err != nil {
			return err
		} else if mode == skip {
			continue
		}
		tbl, err := r.table(rel)
		if err != nil {
			return &unfit{r.at(b.Seq, nil, nil, err)}
		}
		if !tbl.referenced {
			if plain != "" {
				plain += ", "
			}
			plain += "only " + tbl.name
			if err := r.interrupt(tbl.name); err != nil {
				return err
			}
			continue
		}
		r.flight.exec("delete from only "+tbl.name, nil, nil, nil, r.failure(b.Seq, tbl))
		if c.RestartIdentity {
			r.flight.exec(`
				select pg_catalog.setval(d.objid::pg_catalog.regclass, s.seqstart, false)
				from pg_catalog.pg_depend d
				join pg_catalog.pg_sequence s on s.seqrelid = d.objid
				where d.refobjid = $1::pg_catalog.regclass and d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
					and d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.deptype in ('a', 'i')`,
				[]uint32{pgtype.TextOID}, [][]byte{[]byte(tbl.name)}, nil, r.failure(b.Seq, tbl))
		}
	}
	if plain != "" {
		if c.RestartIdentity {
			plain += " restart identity"
		}
		r.flight.exec("truncate "+plain, nil, nil, nil, func(err error) error {
			return r.at(b.Seq, nil, nil, &sink.Mismatch{Table: plain, Reason: "truncate: " + err.Error()})
		})
	}
	return nil
}

// failure gives the error of a statement on a table its place.
func (r *run) failure(seq int64, tbl *table) func(error) error {
	return func(err error) error { return r.refused(seq, tbl, "", err) }
}

var (
	positionTypes   = []uint32{pgtype.Int4OID, pgtype.Int8OID, change.LSNOID, pgtype.ByteaOID, pgtype.ByteaOID, pgtype.TimestamptzOID, pgtype.Int8OID, pgtype.Int4OID}
	positionFormats = slices.Repeat([]int16{pgx.BinaryFormatCode}, len(positionTypes))
)

// position moves the replica's position; that it still stands where the window
// begins is what keeps two appliers from applying twice.
func (r *run) position(before change.Position, last *sink.Block) {
	int4 := func(v int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
	int8 := func(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }
	r.flight.expectIn(positionFormats, 1, `
		update bridge.position
		set epoch = $1, seq = $2, commit_lsn = $3, checksum = $4, model = $5, commit_time = $6, error = '', error_at = null
		where seq = $7 and epoch = $8`,
		positionTypes,
		[][]byte{int4(last.Epoch), int8(last.Seq), int8(int64(last.LSN)), last.Checksum[:], last.Model[:], int8(change.Timestamp(last.Commit)), int8(before.Seq), int4(before.Epoch)},
		func(int64) error {
			return fmt.Errorf("replica %s is not at block %d any more: %w", r.t.o.Name, before.Seq, sink.ErrTaken)
		}, nil)
}

// commit stores the window's blocks in the replica's own log and commits.
func (r *run) commit(w *sink.Window) error {
	batch := &pgx.Batch{}
	known, err := r.t.models.Model(r.ctx, w.Model)
	if err != nil {
		return r.abandon(err)
	}
	for _, e := range r.evolved {
		commitlog.QueueModel(batch, e.model, e.seq, known)
		known = e.model
	}
	if !r.stored {
		if err := r.t.store(r.ctx, w, batch); err != nil {
			return r.abandon(err)
		}
	}
	batch.Queue("commit")
	if err := r.t.conn.SendBatch(r.ctx, batch).Close(); err != nil {
		return r.abandon(r.t.wrap(fmt.Sprintf("commit up to block %d", w.After().Seq), err))
	}
	return r.committed(w)
}

// committed notes what holds behind the transaction.
func (r *run) committed(w *sink.Window) error {
	for oid := range r.wanted {
		r.t.copies[oid] = &copied{missing: true}
		r.t.consistent = never
	}
	r.t.modelSum = w.Blocks[len(w.Blocks)-1].Model
	if r.caughtUp {
		r.t.ahead = change.Checksum{}
	}
	if len(r.evolved) > 0 && len(r.t.copies) > 0 {
		// Some of the tables may be gone.
		if _, err := r.t.read(r.ctx); err != nil {
			return err
		}
	}
	return nil
}

// partition sees to it that the replica's log takes the blocks.
func (t *Target) partition(ctx context.Context, first, last int64) error {
	for next := first; last >= t.upper; next = t.upper {
		upper, err := commitlog.AddPartition(ctx, t.conn, next)
		if err != nil {
			return t.wrap("store blocks", err)
		}
		t.upper = upper
	}
	return nil
}
