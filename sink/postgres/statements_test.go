package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/internal/gold"
)

// typeOIDs are the types that the scripts use: OID, array OID.
var typeOIDs = map[string][2]uint32{
	"int8": {20, 1016}, "text": {25, 1009}, "json": {114, 199}, "float8": {701, 1022}, "numeric": {1700, 1231},
}

// scriptTable reads "columns NAME[:key][:always][:noelements]:TYPE …"; names are quoted as in SQL.
func scriptTable(t *testing.T, line string) *table {
	t.Helper()
	tbl := newTable(0, "d")
	for i, word := range strings.Fields(strings.TrimPrefix(line, "columns")) {
		fields := strings.Split(word, ":")
		typ := fields[len(fields)-1]
		oids, ok := typeOIDs[typ]
		if !ok {
			t.Fatalf("unknown type %s", typ)
		}
		c := column{name: fields[0], oid: oids[0], array: oids[1], typeName: "pg_catalog." + typ, delimiter: ',', elements: true, exact: exactTypes[typ]}
		relColumn := change.Column{Name: strings.Trim(fields[0], `"`), Type: oids[0], Typmod: -1}
		for _, f := range fields[1 : len(fields)-1] {
			switch f {
			case "key":
				relColumn.Key, c.equal = true, "operator(pg_catalog.=)"
				tbl.key = append(tbl.key, i)
			case "always":
				c.always = true
			case "noelements":
				c.elements = false
			}
		}
		tbl.columns = append(tbl.columns, c)
		tbl.rel.Columns = append(tbl.rel.Columns, relColumn)
	}
	for i, c := range tbl.columns {
		tbl.always = tbl.always || c.always && !tbl.isKey(i)
	}
	return tbl
}

// TestStatements shows the SQL of single changes, with the types and values of its
// parameters, and of many changes at once, with the types.
func TestStatements(t *testing.T) {
	gold.Transcript(t, "statements.txt", func(t *testing.T, script string) string {
		var out strings.Builder
		lines := strings.Split(script, "\n")[1:]
		tbl := scriptTable(t, lines[0])
		for _, line := range lines[1:] {
			if like, ok := strings.CutPrefix(line, "delete many like "); ok {
				sql, types, columns := tbl.sqlDeleteAny(parseRow(t, like))
				fmt.Fprintln(&out, sql, types, columns)
				continue
			}
			c := parseChange(t, line)
			old, keyChanges := tbl.oldRow(c)
			var sql string
			var types []uint32
			var params [][]byte
			switch c.Op {
			case change.Insert:
				sql, types = tbl.sqlInsert()
				params = paramsOf(c.New)
			case change.Update:
				sql, types, params = tbl.sqlUpdate(old, c.New, keyChanges)
			case change.Delete:
				sql, types, params = tbl.sqlDelete(old)
			}
			fmt.Fprintln(&out, sql)
			if len(types) != len(params) {
				t.Errorf("%d types and %d parameters", len(types), len(params))
			}
			for i, p := range params {
				if p == nil {
					fmt.Fprintf(&out, "  $%d of type %d is null\n", i+1, types[i])
				} else {
					fmt.Fprintf(&out, "  $%d of type %d is %q\n", i+1, types[i], p)
				}
			}
		}
		if len(lines) > 1 {
			return out.String()
		}
		show := func(sql string, types []uint32) { fmt.Fprintln(&out, sql, types) }
		if len(tbl.columns) == 0 {
			show(tbl.sqlInsert())
			return out.String()
		}
		show(tbl.sqlInsertMany())
		fmt.Fprintln(&out, tbl.sqlCopy())
		if len(tbl.key) > 0 {
			show(tbl.sqlDeleteMany())
			row := make(change.Tuple, len(tbl.columns))
			show(tbl.sqlUpdateMany(tbl.settable(row)))
			show(tbl.sqlPrefetch())
		}
		return out.String()
	})
}

// What is kept of a statement is what would be written for any other row.
func TestKeptStatementsAreThoseOfEveryRow(t *testing.T) {
	for _, head := range []string{"columns a:key:int8 b:text c:always:int8", "columns a:key:int8 b:text c:json", "columns a:key:int8 b:key:text c:noelements:numeric", "columns a:key:int8", "columns a:int8 b:text"} {
		tbl := scriptTable(t, head)
		n := len(tbl.columns)
		text := func(s string) change.Value { return change.Value{Kind: change.Text, Data: []byte(s)} }
		for _, fill := range []func(i int) change.Value{
			func(i int) change.Value { return text(fmt.Sprint(i)) },
			func(i int) change.Value {
				if tbl.isKey(i) || len(tbl.key) == 0 {
					return text("x")
				}
				return change.Value{Kind: change.Unchanged}
			},
			func(i int) change.Value {
				if tbl.isKey(i) {
					return text("y")
				}
				return change.Value{Kind: change.Null}
			},
			func(i int) change.Value { return text(fmt.Sprint("again ", i)) },
		} {
			row, old := make(change.Tuple, n), make(change.Tuple, n)
			for i := range row {
				row[i], old[i] = fill(i), text(fmt.Sprint("old ", i))
			}
			same := func(sql string, types []uint32, params [][]byte) func(string, []uint32, [][]byte) {
				return func(wantSQL string, wantTypes []uint32, wantParams [][]byte) {
					t.Helper()
					if got, want := fmt.Sprintf("%s %v %q", sql, types, params), fmt.Sprintf("%s %v %q", wantSQL, wantTypes, wantParams); got != want {
						t.Errorf("%s: %s\nwant %s", head, got, want)
					}
				}
			}
			same(tbl.sqlUpdate(old, row, false))(tbl.writeUpdate(old, row, false))
			same(tbl.sqlUpdate(old, row, true))(tbl.writeUpdate(old, row, true))
			same(tbl.sqlDelete(old))(tbl.writeDelete(old))
			sql, types := tbl.sqlInsert()
			want, wantTypes := tbl.writeInsert()
			same(sql, types, nil)(want, wantTypes, nil)
			if len(tbl.key) == 0 || len(tbl.settable(row)) == 0 {
				continue
			}
			sql, types = tbl.sqlUpdateMany(tbl.settable(row))
			want, wantTypes = tbl.writeUpdateMany(tbl.settable(row))
			same(sql, types, nil)(want, wantTypes, nil)
		}
	}
}

func TestCheckedRows(t *testing.T) {
	for sql, want := range map[string]string{
		"delete from only t where a = $1":                                                  "with changed as (delete from only t where a = $1 returning 1) select 1 operator(pg_catalog./) (pg_catalog.count(*) operator(pg_catalog.=) $2)::pg_catalog.int4 from changed",
		"select 1 from only t where a = $1":                                                "with changed as (select 1 from only t where a = $1) select 1 operator(pg_catalog./) (pg_catalog.count(*) operator(pg_catalog.=) $2)::pg_catalog.int4 from changed",
		"with d as (delete from t returning *) insert into t select * from d where a = $1": "",
	} {
		if got, ok := checkedRows(sql, 2); got != want || ok != (want != "") {
			t.Errorf("%s: %s, %v", sql, got, ok)
		}
	}
}
