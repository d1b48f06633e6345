package check

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// side is a table on one of the two servers, and the SQL that reads it. Both sides list the same columns and the
// same key, in the same order, and produce the same text for the same value.
type side struct {
	name    string // master or replica
	conn    *pgx.Conn
	from    string // only "s"."t" as t
	convert bool   // the database's encoding is not UTF-8
	rel     *relation
	columns []column
	key     []column // empty: rows are compared as a multiset
}

// newSide prepares the side that has rel; master and replica tell which columns both have.
func newSide(ctx context.Context, name string, conn *pgx.Conn, t Table, rel, master, replica *relation) (*side, error) {
	s := &side{name: name, conn: conn, rel: rel, from: pgx.Identifier{t.Schema, t.Name}.Sanitize() + " as t"}
	if rel.kind == "r" {
		s.from = "only " + s.from // rows of tables that inherit from it are theirs
	}
	both := func(name string) bool {
		_, m := master.column(name)
		_, r := replica.column(name)
		return m && r
	}
	for _, col := range t.Columns {
		if both(col.Name) {
			c, _ := rel.column(col.Name)
			s.columns = append(s.columns, c)
		}
	}
	for _, k := range t.Key {
		if !both(k) {
			s.key = nil
			break
		}
		c, _ := rel.column(k)
		s.key = append(s.key, c)
	}
	var encoding string
	if err := conn.QueryRow(ctx, `select current_setting('server_encoding')`, pgx.QueryExecModeExec).Scan(&encoding); err != nil {
		return nil, fmt.Errorf("ask %s for its encoding: %w", name, err)
	}
	s.convert = encoding != "UTF8" && encoding != "SQL_ASCII"
	return s, nil
}

// query runs a statement without preparing it, so that a schema change cannot break a cached plan.
func (s *side) query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return s.conn.Query(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
}

func ref(c column) string { return "t." + pgx.Identifier{c.name}.Sanitize() }

// bytes is a text expression as bytes that do not depend on the database's encoding.
func (s *side) bytes(expr string) string {
	if s.convert {
		return "convert_to(" + expr + ", 'UTF8')"
	}
	return expr
}

func (s *side) hash(expr string) string { return "md5(" + s.bytes(expr) + ")" }

// A composite's text is unambiguous: null and ” differ, commas are quoted, and every field is written by its type's
// output function, where a cast to text may be something else (of boolean and char(n), and of any type that has such
// a cast).
func rowText(columns []column) string {
	refs := make([]string, len(columns))
	for i, c := range columns {
		refs[i] = ref(c)
	}
	return "row(" + strings.Join(refs, ", ") + ")::text"
}

func (s *side) rowHash() string { return s.hash(rowText(s.columns)) }

// keyHash decides a row's bucket.
func (s *side) keyHash() string {
	if len(s.key) == 0 {
		return s.rowHash()
	}
	return s.hash(rowText(s.key))
}

// output is a value's text, by its type's output function. Key columns are not null.
func output(c column) string { return "format('%s', " + ref(c) + ") collate \"C\"" }

// keyArray is the key as an array of texts, keyOrder an expression that sorts alike on all servers, and as
// slices.Compare does.
func (s *side) keyArray() string { return array(s.key, output) }

func (s *side) keyOrder() string {
	return array(s.key, func(c column) string { return s.bytes(output(c)) })
}

func array(columns []column, expr func(column) string) string {
	exprs := make([]string, len(columns))
	for i, c := range columns {
		exprs[i] = expr(c)
	}
	return "array[" + strings.Join(exprs, ", ") + "]"
}

// byKeys is a from clause that joins the table with keys given as one text array a key column, numbered by k.ord
// from 1. The index is found by its own operator, since search_path is empty; equality of the text is asked for too,
// because values may be equal that are not the same: 1.0 and 1.00, 0 and -0, 'a' and 'A'.
func (s *side) byKeys() string {
	var args, names, on []string
	for i, c := range s.key {
		args = append(args, fmt.Sprintf("$%d::text[]", i+1))
		k := fmt.Sprintf("k%d", i+1)
		names = append(names, k)
		if c.equals != "" {
			on = append(on, fmt.Sprintf("%s operator(%s) k.%s::%s", ref(c), c.equals, k, c.typ))
		}
		on = append(on, fmt.Sprintf("%s = k.%s", output(c), k))
	}
	return fmt.Sprintf("unnest(%s) with ordinality as k(%s, ord)\njoin %s on %s",
		strings.Join(args, ", "), strings.Join(names, ", "), s.from, strings.Join(on, "\n    and "))
}

// byHashes is the like for a table without a key: it joins with the hashes of rows, given as one text array.
func (s *side) byHashes() string {
	return fmt.Sprintf("unnest($1::text[]) with ordinality as k(h, ord)\njoin %s on %s = k.h", s.from, s.rowHash())
}

func (s *side) byKeysOrHashes() string {
	if len(s.key) == 0 {
		return s.byHashes()
	}
	return s.byKeys()
}

// keyArgs turns keys into the arguments of byKeys, or for a table without a key into the one array of row hashes.
func (s *side) keyArgs(keys [][]string) []any {
	args := make([]any, max(len(s.key), 1))
	for i := range args {
		values := make([]string, len(keys))
		for j, key := range keys {
			values[j] = key[i]
		}
		args[i] = values
	}
	return args
}
