package postgres

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/pgbridge/pgbridge/change"
)

// A table without a key is a bag of rows: what a window does to it is how many rows of each kind
// there are more, or fewer, behind it. Rows that go are found together, by one join with what the window
// knows of them, where one after the other would read the whole table each time; rows that come are
// inserted. So an update is a row that goes and one that comes: equal rows can not be told apart anyway.

// mergeRows adds a change to the batch of a table without a key, or applies it in its
// place where not all of the old row is known.
func (r *run) mergeRows(b *batch, seq int64, c *change.Change, mode mode) error {
	if c.Op == change.Insert {
		if b.indexed > 0 {
			r.count(b, c.New, 1)
		} else { // most tables like this only grow
			b.entries = append(b.entries, entry{row: r.values.copy(c.New), more: 1})
		}
		return nil
	}
	if mode == lenient || c.OldKind != change.OldFull || !complete(c.Old) {
		return r.alone(b, seq, c, mode)
	}
	if b.indexed < len(b.entries) {
		grown := b.entries
		b.entries = nil
		for i := range grown {
			r.count(b, grown[i].row, 1)
		}
	}
	r.count(b, c.Old, -1)
	if c.Op == change.Delete {
		return nil
	}
	for i := range c.New {
		if c.New[i].Kind == change.Unchanged {
			c.New[i] = c.Old[i]
		}
	}
	r.count(b, c.New, 1)
	return nil
}

// count notes that there are so many rows more like this one.
func (r *run) count(b *batch, row change.Tuple, more int) {
	r.scratch = r.scratch[:0]
	for i := range row {
		r.scratch = append(r.scratch, byte(row[i].Kind))
		r.scratch = binary.AppendUvarint(r.scratch, uint64(len(row[i].Data)))
		r.scratch = append(r.scratch, row[i].Data...)
	}
	n, known := b.index[string(r.scratch)]
	if !known {
		n = len(b.entries)
		b.index[string(r.scratch)] = n
		b.entries = append(b.entries, entry{row: r.values.copy(row)})
		b.indexed = len(b.entries)
	}
	b.entries[n].more += more
}

// flushRows sends the batch of a table without a key.
func (r *run) flushRows(b *batch) error {
	var inserts []change.Tuple
	gone := map[string][]*entry{} // by which values are null
	var patterns []string
	fewer := 0
	for i := range b.entries {
		e := &b.entries[i]
		for range e.more {
			inserts = append(inserts, e.row)
		}
		if e.more < 0 {
			fewer -= e.more
			pattern := nulls(e.row)
			if gone[pattern] == nil {
				patterns = append(patterns, pattern)
			}
			gone[pattern] = append(gone[pattern], e)
		}
	}
	switch {
	case fewer == 0:
	case fewer <= fewRows || len(b.tbl.columns) == 0:
		for _, pattern := range patterns {
			for _, e := range gone[pattern] {
				sql, types, params := b.tbl.sqlDelete(e.row)
				for range -e.more {
					r.exec(b.tbl, b.first, e.row, sql, types, params)
				}
			}
		}
	default:
		r.flight.exec(planned, nil, nil, nil, nil)
		for _, pattern := range patterns {
			r.deleteAny(b, gone[pattern])
		}
		r.flight.exec(unplanned, nil, nil, nil, nil)
	}
	err := r.insertRows(b, inserts)
	b.empty()
	return err
}

// nulls says for each value whether it is null.
func nulls(row change.Tuple) string {
	pattern := make([]byte, len(row))
	for i := range row {
		if row[i].Kind == change.Null {
			pattern[i] = 1
		}
	}
	return string(pattern)
}

// What applyPins switches off is on for statements whose best plan depends on the table, and on how many rows are sent.
var (
	planned = setLocal(func(name string) string {
		if name == "plan_cache_mode" {
			return "force_custom_plan"
		}
		return "on"
	})
	unplanned = setLocal(func(name string) string { return applyPins[name] })
)

// setLocal is the statement that sets the planner's settings among applyPins to other values until the transaction's end.
func setLocal(value func(name string) string) string {
	var calls []string
	for _, name := range []string{"plan_cache_mode", "enable_hashjoin", "enable_mergejoin", "enable_seqscan", "enable_material"} {
		calls = append(calls, fmt.Sprintf("pg_catalog.set_config('%s', '%s', true)", name, value(name)))
	}
	return "select " + strings.Join(calls, ", ")
}

// deleteAny deletes rows that are null in the same columns, of each so many as it says.
func (r *run) deleteAny(b *batch, gone []*entry) {
	rows := make([]change.Tuple, len(gone))
	times := []byte{'{'}
	want := 0
	for i, e := range gone {
		rows[i] = e.row
		if i > 0 {
			times = append(times, ',')
		}
		times = strconv.AppendInt(times, int64(-e.more), 10)
		want -= e.more
	}
	sql, types, columns := b.tbl.sqlDeleteAny(rows[0])
	params := make([][]byte, 0, len(types))
	for _, i := range columns {
		delimiter := byte(',')
		if b.tbl.columns[i].exact {
			delimiter = b.tbl.columns[i].delimiter
		}
		params = append(params, columnArray(rows, i, delimiter))
	}
	params = append(params, append(times, '}'))
	r.flight.expect(want, sql, types, params, r.miscounted(b, "deleted", want), r.failure(b.first, b.tbl))
}
