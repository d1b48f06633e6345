package postgres

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/sink"
)

// batch is what a window does to one table, by key.
type batch struct {
	tbl        *table
	index      map[string]int // encoded key → entries
	entries    []entry
	indexed    int   // of a table without a key: so many of the entries are in index
	grows      bool  // there may be rows to insert
	changes    int   // that made the entries
	prefetched int   // so many of the entries were looked at for rows to read ahead
	first      int64 // seq of the first and last block in it
	last       int64
}

// entry is the net effect on one key.
//
//	had, now     the row was there before the window, is there behind it
//	replaced     it was deleted on the way: row is complete
//	unsure       the row may already be as it was or as it will be (copy): do not count
//
// Without a key it is how many rows like this one there are more behind the window.
type entry struct {
	had, now, replaced, unsure bool
	row                        change.Tuple // the new row; of a deleted one, at least the key
	more                       int
}

// arena holds tuples for the time of a window.
type arena struct{ free []change.Value }

func (a *arena) copy(row change.Tuple) change.Tuple {
	if len(a.free) < len(row) {
		a.free = make([]change.Value, max(1024, len(row)))
	}
	c := a.free[:len(row):len(row)]
	a.free = a.free[len(row):]
	copy(c, row)
	return c
}

func (a *arena) reset() { a.free = nil }

// merge adds a change to its table's batch, or applies it in its place where that
// can not be.
func (r *run) merge(tbl *table, seq int64, c *change.Change, mode mode) error {
	b := r.batch(tbl, seq)
	if len(tbl.key) == 0 {
		return r.mergeRows(b, seq, c, mode)
	}
	old, keyChanges := tbl.oldRow(c)
	if keyChanges && !(mode == lenient && complete(c.New)) || c.Op == change.Update && tbl.always {
		return r.alone(b, seq, c, mode)
	}
	if mode == lenient && c.Op == change.Update && !complete(c.New) {
		return r.alone(b, seq, c, mode)
	}
	if c.Op == change.Insert {
		old = c.New
	}
	b.grows = b.grows || c.Op == change.Insert || mode == lenient
	b.changes++
	if keyChanges {
		e, _ := r.entry(b, old)
		e.had, e.now, e.replaced, e.unsure = true, false, false, true
		old = c.New
	}
	e, known := r.entry(b, old)
	if mode == lenient {
		e.had, e.replaced, e.unsure = true, true, true
		if e.now = c.Op != change.Delete; e.now {
			copy(e.row, c.New)
		}
		return nil
	}
	switch {
	case !known && c.Op == change.Insert:
		e.now = true
	case !known && c.Op == change.Update:
		e.had, e.now = true, true
		copy(e.row, c.New) // the entry was made of the old row
	case !known: // delete
		e.had = true
	case c.Op == change.Insert && !e.now:
		e.now, e.replaced = true, e.had
		copy(e.row, c.New)
	case c.Op == change.Update && e.now:
		for i := range c.New {
			if c.New[i].Kind != change.Unchanged {
				e.row[i] = c.New[i]
			}
		}
	case c.Op == change.Delete && e.now:
		e.now, e.replaced = false, false
	default:
		return r.at(seq, tbl, old, &sink.Mismatch{Reason: fmt.Sprintf("%s does not follow from the changes before it", c.Op)})
	}
	if !known {
		r.prefetch(b, prefetchRows)
	}
	if len(b.entries) >= eagerRows && !b.grows && !b.merges() && r.flight.free() {
		if err := r.flushBatch(b); err != nil {
			return err
		}
		return r.flight.send()
	}
	return nil
}

// complete says whether every value of the row is known.
func complete(row change.Tuple) bool {
	for i := range row {
		if row[i].Kind == change.Unchanged {
			return false
		}
	}
	return true
}

// alone applies what is gathered for the table, then the change itself.
func (r *run) alone(b *batch, seq int64, c *change.Change, mode mode) error {
	if err := r.flushBatch(b); err != nil {
		return err
	}
	return r.row(b.tbl, seq, c, mode)
}

func (r *run) batch(tbl *table, seq int64) *batch {
	b := r.batches[tbl]
	if b == nil {
		b = &batch{tbl: tbl, index: map[string]int{}}
		r.batches[tbl] = b
		r.order = append(r.order, b)
	}
	if len(b.entries) == 0 {
		b.first = seq
	}
	b.last = seq
	return b
}

// entry finds the entry of the row's key, or makes one that holds the row.
func (r *run) entry(b *batch, row change.Tuple) (e *entry, known bool) {
	r.scratch = r.scratch[:0]
	for _, i := range b.tbl.key {
		r.scratch = binary.AppendUvarint(r.scratch, uint64(len(row[i].Data)))
		r.scratch = append(r.scratch, row[i].Data...)
	}
	if n, ok := b.index[string(r.scratch)]; ok {
		return &b.entries[n], true
	}
	b.index[string(r.scratch)] = len(b.entries)
	b.entries = append(b.entries, entry{row: r.values.copy(row)})
	return &b.entries[len(b.entries)-1], false
}

// flush sends everything that is gathered.
func (r *run) flush() error {
	for _, b := range r.order {
		r.prefetch(b, prefetchLeast)
	}
	for _, b := range r.order {
		if err := r.flushBatch(b); err != nil {
			return err
		}
	}
	return nil
}

// A few rows are sent one by one, many as arrays, and inserts of very many by COPY.
const (
	fewRows  = 4
	copyRows = 200
	// So many updates and deletes of one table are sent before the window's end, as soon as the server has nothing else to do: it is busy
	// with them while the rest is merged. (Inserts are not: they go by COPY, which waits for all before it; nor what is changed
	// again and again, which is better merged.)
	eagerRows = 1000
)

func (r *run) flushBatch(b *batch) error {
	if len(b.entries) == 0 {
		return nil
	}
	if len(b.tbl.key) == 0 {
		return r.flushRows(b)
	}
	var deletes, unsure, updates, inserts []change.Tuple
	for i := range b.entries {
		e := &b.entries[i]
		switch {
		case e.had && (!e.now || e.replaced):
			if e.unsure {
				unsure = append(unsure, e.row)
			} else {
				deletes = append(deletes, e.row)
			}
		case e.had:
			updates = append(updates, e.row)
		}
		if e.now && (!e.had || e.replaced) {
			inserts = append(inserts, e.row)
		}
	}
	// The index is read, and the table written, where they were read and written just before.
	b.tbl.sort(deletes)
	b.tbl.sort(updates)
	b.tbl.hot = b.merges()
	r.deleteRows(b, deletes, true)
	r.deleteRows(b, unsure, false)
	r.updateRows(b, updates)
	err := r.insertRows(b, inserts)
	b.empty()
	return err
}

// sort brings rows into about the order of the key, as far as it is text or a number.
func (tbl *table) sort(rows []change.Tuple) {
	if len(rows) <= fewRows {
		return
	}
	key := tbl.key[0]
	number := false
	switch tbl.columns[key].oid {
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		number = true
	}
	slices.SortFunc(rows, func(x, y change.Tuple) int {
		a, b := x[key].Data, y[key].Data
		if number && len(a) != len(b) {
			return len(a) - len(b)
		}
		return bytes.Compare(a, b)
	})
}

// merges says whether several changes come to a row.
func (b *batch) merges() bool { return b.changes >= 2*len(b.entries) }

func (b *batch) empty() {
	b.entries, b.indexed, b.grows, b.changes, b.prefetched = b.entries[:0], 0, false, 0, 0
	clear(b.index)
}

func (r *run) deleteRows(b *batch, rows []change.Tuple, count bool) {
	if len(rows) == 0 {
		return
	}
	if len(rows) <= fewRows && count {
		for _, row := range rows {
			sql, types, params := b.tbl.sqlDelete(row)
			r.exec(b.tbl, b.first, row, sql, types, params)
		}
		return
	}
	sql, types := b.tbl.sqlDeleteMany()
	formats, params := b.tbl.columnArrays(rows, b.tbl.key)
	if !count {
		r.flight.execIn(formats, sql, types, params, nil, r.failure(b.first, b.tbl))
		return
	}
	r.flight.expectIn(formats, len(rows), sql, types, params, r.miscounted(b, "deleted", len(rows)), r.failure(b.first, b.tbl))
}

// updateRows sends the updates, grouped by the columns that they set.
func (r *run) updateRows(b *batch, rows []change.Tuple) {
	for len(rows) > 0 {
		var rest []change.Tuple
		group := rows
		columns := b.tbl.settable(rows[0])
		for i, row := range rows {
			if sameUnchanged(row, rows[0]) {
				if rest != nil {
					group = append(group, row)
				}
				continue
			}
			if rest == nil {
				group = append([]change.Tuple(nil), rows[:i]...)
			}
			rest = append(rest, row)
		}
		if len(group) <= fewRows || len(columns) == 0 {
			for _, row := range group {
				sql, types, params := b.tbl.sqlUpdate(row, row, false)
				r.exec(b.tbl, b.first, row, sql, types, params)
			}
		} else {
			sql, types := b.tbl.sqlUpdateMany(columns)
			formats, params := b.tbl.columnArrays(group, append(append([]int(nil), b.tbl.key...), columns...))
			r.flight.expectIn(formats, len(group), sql, types, params, r.miscounted(b, "updated", len(group)), r.failure(b.first, b.tbl))
		}
		rows = rest
	}
}

// settable lists the columns that an update with this row sets.
func (tbl *table) settable(row change.Tuple) []int {
	var columns []int
	for i := range row {
		if row[i].Kind != change.Unchanged && !tbl.isKey(i) {
			columns = append(columns, i)
		}
	}
	return columns
}

func sameUnchanged(a, b change.Tuple) bool {
	for i := range a {
		if (a[i].Kind == change.Unchanged) != (b[i].Kind == change.Unchanged) {
			return false
		}
	}
	return true
}

func (r *run) insertRows(b *batch, rows []change.Tuple) error {
	switch {
	case len(rows) == 0:
		return nil
	case len(rows) <= fewRows || len(b.tbl.columns) == 0:
		sql, types := b.tbl.sqlInsert()
		for _, row := range rows {
			r.exec(b.tbl, b.first, row, sql, types, paramsOf(row))
		}
		return nil
	case len(rows) < copyRows:
		sql, types := b.tbl.sqlInsertMany()
		all := make([]int, len(b.tbl.columns))
		for i := range all {
			all[i] = i
		}
		formats, params := b.tbl.columnArrays(rows, all)
		r.flight.expectIn(formats, len(rows), sql, types, params, r.miscounted(b, "inserted", len(rows)), r.failure(b.first, b.tbl))
		return nil
	}
	// COPY can not share a flight.
	if err := r.flight.land(); err != nil {
		return err
	}
	var text []byte
	for _, row := range rows {
		text = appendCopyRow(text, row)
	}
	tag, err := r.t.conn.PgConn().CopyFrom(r.ctx, bytes.NewReader(text), b.tbl.sqlCopy())
	return r.copied(b, len(rows), tag, err)
}

// copied says what came of a COPY of so many rows.
func (r *run) copied(b *batch, want int, tag pgconn.CommandTag, err error) error {
	switch {
	case err != nil && lost(err):
		return r.t.wrap("copy into "+b.tbl.name, err)
	case err != nil:
		return r.failure(b.first, b.tbl)(err)
	}
	if tag.RowsAffected() == int64(want) {
		return nil
	}
	return r.miscounted(b, "inserted", want)(tag.RowsAffected())
}

// miscounted makes the error of a statement for many rows that changed another number of them.
func (r *run) miscounted(b *batch, done string, want int) func(int64) error {
	first, last := b.first, b.last
	return func(rows int64) error {
		return r.at(first, b.tbl, nil, &sink.Mismatch{Reason: fmt.Sprintf("%d rows were %s where blocks %d to %d expect %d", rows, done, first, last, want)})
	}
}

// columnArrays turns rows into one array a column, and says of each whether it is in binary form.
func (tbl *table) columnArrays(rows []change.Tuple, columns []int) (formats []int16, params [][]byte) {
	formats, params = make([]int16, len(columns)), make([][]byte, len(columns))
	for n, i := range columns {
		element, delimiter := uint32(pgtype.TextOID), byte(',')
		if c := &tbl.columns[i]; c.elements {
			element, delimiter = c.oid, c.delimiter
		}
		if params[n] = binaryArray(rows, i, element); params[n] != nil {
			formats[n] = pgx.BinaryFormatCode
		} else {
			params[n] = columnArray(rows, i, delimiter)
		}
	}
	return formats, params
}

// columnArray is an array in text form.
func columnArray(rows []change.Tuple, column int, delimiter byte) []byte {
	size := 2
	for _, row := range rows {
		size += len(row[column].Data) + 3
	}
	b := append(make([]byte, 0, size), '{')
	for k, row := range rows {
		if k > 0 {
			b = append(b, delimiter)
		}
		b = appendElement(b, row[column])
	}
	return append(b, '}')
}
