package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgbridge/pgbridge/change"
)

// text is a statement with the types of its parameters. They are not to be changed.
type text struct {
	sql   string
	types []uint32
}

// once gives the statement of a kind, which is written when it is asked for the first time: small windows take longer to be written than to
// be sent.
func (tbl *table) once(kind string, write func() (string, []uint32)) (sql string, types []uint32) {
	t, ok := tbl.texts[kind]
	if !ok {
		t.sql, t.types = write()
		t.types = slices.Clip(t.types)
		if tbl.texts == nil {
			tbl.texts = map[string]text{}
		}
		tbl.texts[kind] = t
	}
	return t.sql, t.types
}

// The statements that change one row. Parameters are the values' text.

// sqlInsert inserts a row; identity columns take the master's values.
func (tbl *table) sqlInsert() (sql string, types []uint32) {
	return tbl.once("insert", tbl.writeInsert)
}

func (tbl *table) writeInsert() (sql string, types []uint32) {
	if len(tbl.columns) == 0 {
		return fmt.Sprintf("insert into %s default values", tbl.name), nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "insert into %s (%s) overriding system value values (", tbl.name, tbl.names())
	for i, c := range tbl.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
		types = append(types, c.oid)
	}
	b.WriteString(")")
	return b.String(), types
}

// names lists all replicated columns.
func (tbl *table) names() string {
	var b strings.Builder
	for i, c := range tbl.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.name)
	}
	return b.String()
}

func (tbl *table) isKey(i int) bool {
	for _, k := range tbl.key {
		if k == i {
			return true
		}
	}
	return false
}

// assignments writes the set list from what value says for each column.
func (tbl *table) assignments(value func(i int) (string, bool)) string {
	var b strings.Builder
	for i, c := range tbl.columns {
		if v, ok := value(i); ok {
			if b.Len() > 0 {
				b.WriteString(", ")
			}
			b.WriteString(c.name + " = " + v)
		}
	}
	return b.String()
}

// match is the condition that finds the row by old, appending its parameters. With a
// key it finds one row at most; without one it finds every equal row.
func (tbl *table) match(old change.Tuple, types []uint32, params [][]byte) (string, []uint32, [][]byte) {
	var b strings.Builder
	and := func() {
		if b.Len() > 0 {
			b.WriteString(" and ")
		}
	}
	if len(tbl.key) > 0 {
		for _, i := range tbl.key {
			and()
			c := &tbl.columns[i]
			types, params = append(types, c.oid), append(params, param(old[i]))
			fmt.Fprintf(&b, "t.%s %s $%d", c.name, c.equal, len(params))
		}
		return b.String(), types, params
	}
	for i := range tbl.columns {
		and()
		c := &tbl.columns[i]
		switch {
		case old[i].Kind == change.Null:
			// Not "is null", which is also true of a row of nulls.
			fmt.Fprintf(&b, "t.%s is not distinct from null", c.name)
		case c.exact:
			types, params = append(types, c.oid), append(params, param(old[i]))
			fmt.Fprintf(&b, "t.%s operator(pg_catalog.=) $%d", c.name, len(params))
		default:
			// The output function decides: there may be no equality (json), or equal
			// values that differ (1.0 and 1.00, citext).
			types, params = append(types, pgtype.TextOID), append(params, param(old[i]))
			fmt.Fprintf(&b, "pg_catalog.format('%%s', t.%s) operator(pg_catalog.=) $%d collate \"C\"", c.name, len(params))
			if len(old[i].Data) == 0 {
				fmt.Fprintf(&b, " and t.%s is distinct from null", c.name) // of which format makes an empty string
			}
		}
	}
	if b.Len() == 0 {
		b.WriteString("true") // a table without columns
	}
	return b.String(), types, params
}

// param is a value's parameter; nil is null.
func param(v change.Value) []byte {
	if v.Kind == change.Null || v.Kind == change.Unchanged {
		return nil
	}
	if v.Data == nil {
		return []byte{}
	}
	return v.Data
}

// one narrows a condition that can find several equal rows to one of them.
func (tbl *table) one(where string) string {
	if len(tbl.key) > 0 {
		return where
	}
	return fmt.Sprintf("t.ctid = (select t.ctid from only %s t where %s limit 1)", tbl.name, where)
}

// sqlDelete deletes the row that was old.
func (tbl *table) sqlDelete(old change.Tuple) (sql string, types []uint32, params [][]byte) {
	if len(tbl.key) > 0 {
		sql, types = tbl.once("delete", func() (string, []uint32) {
			sql, types, _ := tbl.writeDelete(old)
			return sql, types
		})
		return sql, types, tbl.keyOf(old, make([][]byte, 0, len(tbl.key)))
	}
	return tbl.writeDelete(old)
}

// keyOf appends the key's values.
func (tbl *table) keyOf(row change.Tuple, params [][]byte) [][]byte {
	for _, i := range tbl.key {
		params = append(params, param(row[i]))
	}
	return params
}

func (tbl *table) writeDelete(old change.Tuple) (string, []uint32, [][]byte) {
	where, types, params := tbl.match(old, nil, nil)
	return fmt.Sprintf("delete from only %s t where %s", tbl.name, tbl.one(where)), types, params
}

// sqlUpdate changes the row that was old to row; unchanged values stay.
func (tbl *table) sqlUpdate(old, row change.Tuple, keyChanges bool) (sql string, types []uint32, params [][]byte) {
	if len(tbl.key) == 0 || keyChanges || tbl.always || !complete(row) {
		return tbl.writeUpdate(old, row, keyChanges)
	}
	sql, types = tbl.once("update", func() (string, []uint32) {
		sql, types, _ := tbl.writeUpdate(old, row, false)
		return sql, types
	})
	params = make([][]byte, 0, len(tbl.columns)+1)
	for i := range row {
		if !tbl.isKey(i) {
			params = append(params, param(row[i]))
		}
	}
	return sql, types, tbl.keyOf(old, params)
}

func (tbl *table) writeUpdate(old, row change.Tuple, keyChanges bool) (sql string, types []uint32, params [][]byte) {
	if tbl.always || keyChanges && tbl.alwaysKey() {
		return tbl.sqlReplace(old, row)
	}
	set := tbl.assignments(func(i int) (string, bool) {
		if row[i].Kind == change.Unchanged || tbl.isKey(i) && !keyChanges {
			return "", false
		}
		types, params = append(types, tbl.columns[i].oid), append(params, param(row[i]))
		return fmt.Sprintf("$%d", len(params)), true
	})
	if set == "" {
		// Nothing but the key, which stays: the row must still be there.
		where, types, params := tbl.match(old, nil, nil)
		return fmt.Sprintf("select 1 from only %s t where %s", tbl.name, tbl.one(where)), types, params
	}
	where, types, params := tbl.match(old, types, params)
	return fmt.Sprintf("update only %s t set %s where %s", tbl.name, set, tbl.one(where)), types, params
}

// alwaysKey says whether an identity column of the key takes default only.
func (tbl *table) alwaysKey() bool {
	for _, i := range tbl.key {
		if tbl.columns[i].always {
			return true
		}
	}
	return false
}

// sqlReplace deletes the old row and inserts the new one, which is the only way to
// give a generated-always identity column a value. Unchanged values move over.
func (tbl *table) sqlReplace(old, row change.Tuple) (string, []uint32, [][]byte) {
	var types []uint32
	var params [][]byte
	var b strings.Builder
	for i, c := range tbl.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		if row[i].Kind == change.Unchanged {
			b.WriteString("d." + c.name)
			continue
		}
		types, params = append(types, c.oid), append(params, param(row[i]))
		fmt.Fprintf(&b, "$%d", len(params))
	}
	where, types, params := tbl.match(old, types, params)
	return fmt.Sprintf("with d as (delete from only %s t where %s returning t.*) insert into %s (%s) overriding system value select %s from d",
		tbl.name, tbl.one(where), tbl.name, tbl.names(), b.String()), types, params
}

// The statements that change many rows at once. Parameters are arrays, one a column.

// arrays writes "unnest($1, …) as s (c0, …)" for the given columns (with several arguments the
// name must stand alone: it is syntax, and the search_path is empty). typed is
// how a column of s is used; arrays and composites come as text.
func (tbl *table) arrays(columns []int) (from string, types []uint32) {
	var args, names strings.Builder
	for n, i := range columns {
		if n > 0 {
			args.WriteString(", ")
			names.WriteString(", ")
		}
		fmt.Fprintf(&args, "$%d", n+1)
		fmt.Fprintf(&names, "c%d", i)
		if tbl.columns[i].elements {
			types = append(types, tbl.columns[i].array)
		} else {
			types = append(types, pgtype.TextArrayOID)
		}
	}
	return fmt.Sprintf("unnest(%s) as s (%s)", args.String(), names.String()), types
}

func (tbl *table) typed(i int) string {
	if tbl.columns[i].elements {
		return fmt.Sprintf("s.c%d", i)
	}
	return fmt.Sprintf("s.c%d::%s", i, tbl.columns[i].typeName)
}

// join is the condition that pairs rows with those of s by the key.
func (tbl *table) join() string {
	var b strings.Builder
	for n, i := range tbl.key {
		if n > 0 {
			b.WriteString(" and ")
		}
		fmt.Fprintf(&b, "t.%s %s %s", tbl.columns[i].name, tbl.columns[i].equal, tbl.typed(i))
	}
	return b.String()
}

func (tbl *table) sqlDeleteMany() (string, []uint32) {
	return tbl.once("delete many", tbl.writeDeleteMany)
}

func (tbl *table) writeDeleteMany() (string, []uint32) {
	from, types := tbl.arrays(tbl.key)
	return fmt.Sprintf("delete from only %s t using %s where %s", tbl.name, from, tbl.join()), types
}

// sqlUpdateMany sets the given columns of the rows with the given keys.
func (tbl *table) sqlUpdateMany(columns []int) (string, []uint32) {
	if len(columns) < len(tbl.columns)-len(tbl.key) {
		return tbl.writeUpdateMany(columns)
	}
	return tbl.once("update many", func() (string, []uint32) { return tbl.writeUpdateMany(columns) })
}

func (tbl *table) writeUpdateMany(columns []int) (string, []uint32) {
	from, types := tbl.arrays(append(append([]int(nil), tbl.key...), columns...))
	set := ""
	for n, i := range columns {
		if n > 0 {
			set += ", "
		}
		set += tbl.columns[i].name + " = " + tbl.typed(i)
	}
	return fmt.Sprintf("update only %s t set %s from %s where %s", tbl.name, set, from, tbl.join()), types
}

// sqlPrefetch reads the rows with the given keys, and counts them. Counting their places takes the rows themselves, not only the index.
func (tbl *table) sqlPrefetch() (string, []uint32) {
	return tbl.once("prefetch", tbl.writePrefetch)
}

func (tbl *table) writePrefetch() (string, []uint32) {
	if c := &tbl.columns[tbl.key[0]]; len(tbl.key) == 1 && c.elements {
		return fmt.Sprintf("select pg_catalog.count(t.ctid) from only %s t where t.%s %s any ($1)", tbl.name, c.name, c.equal), []uint32{c.array}
	}
	from, types := tbl.arrays(tbl.key)
	return fmt.Sprintf("select pg_catalog.count(t.ctid) from only %s t, %s where %s", tbl.name, from, tbl.join()), types
}

// sqlDeleteAny deletes rows of a table without a key. All of them are null where like is. The parameters are arrays of the other
// columns' values, and one that says how many rows to delete of each.
func (tbl *table) sqlDeleteAny(like change.Tuple) (sql string, types []uint32, columns []int) {
	var args, names, match strings.Builder
	for i := range tbl.columns {
		c := &tbl.columns[i]
		if i > 0 {
			match.WriteString(" and ")
		}
		if like[i].Kind == change.Null {
			fmt.Fprintf(&match, "t.%s is not distinct from null", c.name)
			continue
		}
		columns = append(columns, i)
		fmt.Fprintf(&args, "$%d, ", len(columns))
		fmt.Fprintf(&names, "c%d, ", i)
		// As in match.
		if c.exact {
			types = append(types, c.array)
			fmt.Fprintf(&match, "t.%s operator(pg_catalog.=) s.c%d", c.name, i)
		} else {
			types = append(types, pgtype.TextArrayOID)
			fmt.Fprintf(&match, "pg_catalog.format('%%s', t.%s) operator(pg_catalog.=) s.c%d collate \"C\" and (s.c%[2]d operator(pg_catalog.<>) '' or t.%[1]s is distinct from null)", c.name, i)
		}
	}
	types = append(types, pgtype.Int4ArrayOID)
	return fmt.Sprintf("delete from only %[1]s t where t.ctid = any (array(select m.ctid from ("+
		"select t.ctid, s.times, pg_catalog.row_number() over (partition by s.row) as nth from only %[1]s t join unnest(%[2]s$%[3]d) with ordinality as s (%[4]stimes, row) on %[5]s"+
		") m where m.nth <= m.times))", tbl.name, args.String(), len(types), names.String(), match.String()), types, columns
}

func (tbl *table) sqlInsertMany() (string, []uint32) {
	return tbl.once("insert many", tbl.writeInsertMany)
}

func (tbl *table) writeInsertMany() (string, []uint32) {
	all := make([]int, len(tbl.columns))
	typed := make([]string, len(all))
	for i := range all {
		all[i] = i
		typed[i] = tbl.typed(i)
	}
	from, types := tbl.arrays(all)
	return fmt.Sprintf("insert into %s (%s) overriding system value select %s from %s",
		tbl.name, tbl.names(), strings.Join(typed, ", "), from), types
}

func (tbl *table) sqlCopy() string {
	return fmt.Sprintf("copy %s (%s) from stdin", tbl.name, tbl.names())
}
