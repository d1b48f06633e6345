package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/internal/gold"
	"github.com/pgbridge/pgbridge/internal/rows"
)

func parseRow(t *testing.T, s string) change.Tuple {
	t.Helper()
	row, err := rows.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// parseChange reads "insert NEW", "update NEW", "update key OLD to NEW", "update full
// OLD to NEW", "delete key OLD" or "delete full OLD".
func parseChange(t *testing.T, line string) *change.Change {
	t.Helper()
	c := &change.Change{}
	verb, rest, _ := strings.Cut(line, " ")
	for _, kind := range []struct {
		word string
		kind change.OldKind
	}{{"key ", change.OldKey}, {"full ", change.OldFull}} {
		if after, ok := strings.CutPrefix(rest, kind.word); ok {
			c.OldKind, rest = kind.kind, after
		}
	}
	switch verb {
	case "insert":
		c.Op, c.New = change.Insert, parseRow(t, rest)
	case "update":
		c.Op = change.Update
		if old, row, ok := strings.Cut(rest, " to "); ok {
			c.Old, rest = parseRow(t, old), row
		}
		c.New = parseRow(t, rest)
	case "delete":
		c.Op, c.Old = change.Delete, parseRow(t, rest)
	default:
		t.Fatalf("%q is not a change", line)
	}
	return c
}

// newTable has text columns of the given names; the first keys of them are the key.
func newTable(keys int, identity string, names ...string) *table {
	tbl := &table{rel: &change.Relation{OID: 1, Schema: "public", Name: "t", Identity: identity}, name: "public.t"}
	for i, n := range names {
		tbl.rel.Columns = append(tbl.rel.Columns, change.Column{Name: n, Type: pgtype.TextOID, Typmod: -1, Key: i < keys})
		tbl.columns = append(tbl.columns, column{name: n, oid: pgtype.TextOID, typeName: "pg_catalog.text", array: pgtype.TextArrayOID, delimiter: ',', elements: true})
		if i < keys {
			tbl.key = append(tbl.key, i)
			tbl.columns[i].equal = "operator(pg_catalog.=)"
		}
	}
	return tbl
}

// TestMerge shows what is left to do for a key behind several changes. A block is one
// transaction in a window; "lenient:" stands before changes of one that a copy saw in
// part; "no key" comes first where the table has none. The statements that it becomes are TestStatements' matter.
func TestMerge(t *testing.T) {
	gold.Transcript(t, "merge.txt", func(t *testing.T, script string) string {
		tbl := newTable(1, "d", "id", "a", "b")
		r := &run{t: &Target{}, batches: map[*table]*batch{}}
		for n, line := range strings.Split(script, "\n") {
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			if line == "no key" {
				tbl = newTable(0, "f", "id", "a", "b")
				continue
			}
			change, how := line, strict
			if rest, ok := strings.CutPrefix(line, "lenient: "); ok {
				change, how = rest, lenient
			}
			c := parseChange(t, change)
			if err := r.merge(tbl, int64(n), c, how); err != nil {
				return "error: " + err.Error()
			}
			// The reader fills the same tuples again.
			clear(c.Old)
			clear(c.New)
		}
		return showBatch(r.batches[tbl])
	})
}

func showBatch(b *batch) string {
	var out strings.Builder
	for i := range b.entries {
		e := &b.entries[i]
		if len(b.tbl.key) == 0 {
			fmt.Fprintf(&out, "%+d %s\n", e.more, rows.String(e.row))
			continue
		}
		verb := ""
		switch {
		case e.had && e.now && e.replaced:
			verb = "delete and insert"
		case e.had && e.now:
			verb = "update"
		case e.had:
			verb = "delete"
		case e.now:
			verb = "insert"
		default:
			verb = "nothing"
		}
		if e.unsure && e.had {
			verb = "if there, " + verb
		}
		row := rows.String(e.row)
		if !e.now {
			row = "id " + string(e.row[0].Data)
		}
		fmt.Fprintln(&out, verb, row)
	}
	return out.String()
}
