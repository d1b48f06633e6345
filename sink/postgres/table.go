package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/schema"
	"github.com/pgbridge/pgbridge/sink"
)

// table is a relation of the master as it stands on the replica. Indexes of columns
// are those of the relation, which are those of its rows.
type table struct {
	rel     *change.Relation
	name    string // quoted
	columns []column
	key     []int // the columns that find a row; none: the whole old row does
	always  bool  // an identity column that only takes default stands outside the key

	keyIndex   bool   // an index finds it
	hot        bool   // its rows were changed several times each in the last window
	referenced bool   // by a foreign key of another table
	loud       []loud // triggers and rules that would fire

	texts map[string]text // statements that are the same for all rows, by their kind
}

// column is a replicated column on the replica.
type column struct {
	name      string // quoted
	oid       uint32 // type
	typeName  string // quoted, without modifiers
	array     uint32 // type of an array of these
	delimiter byte   // of that array's text form
	// elements: an array of these can be unnested to them. Arrays would be flattened and
	// composites split, so theirs are sent as text and cast.
	elements bool
	exact    bool   // equal values have equal text
	equal    string // the operator of the key's index
	always   bool   // generated always as identity
}

// table finds the relation on the replica.
func (t *Target) table(ctx context.Context, rel *change.Relation, name string, now *rendered) (*table, error) {
	if known := t.tables[rel]; known != nil {
		return known, nil
	}
	tbl, err := t.lookUp(ctx, rel, name, now)
	if err != nil {
		return nil, err
	}
	if len(t.tables) >= 4096 {
		clear(t.tables) // models follow each other; the old ones' tables would pile up
	}
	t.tables[rel] = tbl
	return tbl, nil
}

// exactTypes are the types whose equal values are the same text. Not numeric (1.0 = 1.00),
// not float (0 = -0), not interval (24 hours = 1 day), not those with a collation.
var exactTypes = map[string]bool{
	"bool": true, "int2": true, "int4": true, "int8": true, "oid": true, "uuid": true,
	"date": true, "time": true, "timestamp": true, "timestamptz": true, "bytea": true, "char": true,
}

// collatedTypes are equal as the same text under a deterministic collation. Not bpchar,
// whose trailing blanks do not count.
var collatedTypes = map[string]bool{"text": true, "varchar": true, "name": true}

func (t *Target) lookUp(ctx context.Context, rel *change.Relation, name string, now *rendered) (*table, error) {
	// Columns are found by name, as the relation has them; types are the replica's own.
	rows, err := t.conn.Query(ctx, `
		select a.attname, a.attgenerated <> '', a.attidentity = 'a', a.attnum,
			ty.oid, n.nspname, ty.typname, ty.typarray,
			ty.typdelim::text,
			(ty.typtype in ('b', 'e', 'r', 'm', 'd') and not (ty.typtype = 'b' and ty.typelem <> 0 and ty.typsubscript = 'pg_catalog.array_subscript_handler'::regproc)
				and not (ty.typtype = 'd' and bt.typtype = 'c')),
			ty.typtype = 'b' and n.nspname = 'pg_catalog',
			coalesce((select cl.collisdeterministic from pg_catalog.pg_collation cl where cl.oid = a.attcollation), false)
		from pg_catalog.pg_class c
		join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
		join pg_catalog.pg_type ty on ty.oid = a.atttypid
		join pg_catalog.pg_namespace n on n.oid = ty.typnamespace
		left join pg_catalog.pg_type bt on bt.oid = ty.typbasetype
		where c.oid = pg_catalog.to_regclass($1) and c.relkind = 'r'`, name)
	if err != nil {
		return nil, t.wrap("look up table "+rel.String(), err)
	}
	defer rows.Close()
	type found struct {
		column
		generated bool
		number    int16
	}
	there := map[string]found{}
	for rows.Next() {
		var f found
		var column, typeSchema, typeName, delimiter string
		var builtin, deterministic bool
		if err := rows.Scan(&column, &f.generated, &f.always, &f.number, &f.oid, &typeSchema, &typeName, &f.array, &delimiter, &f.elements, &builtin, &deterministic); err != nil {
			return nil, t.wrap("look up table "+rel.String(), err)
		}
		f.name, f.typeName, f.delimiter = schema.Quote(column), schema.Quote(typeSchema, typeName), delimiter[0]
		f.elements = f.elements && f.array != 0
		f.exact = builtin && (exactTypes[typeName] || deterministic && collatedTypes[typeName])
		there[column] = f
	}
	if rows.Err() != nil {
		return nil, t.wrap("look up table "+rel.String(), rows.Err())
	}
	tbl := &table{rel: rel, name: name, columns: make([]column, len(rel.Columns))}
	rows.Close()
	var exists bool // without a column, too
	var firing bool
	if err := t.conn.QueryRow(ctx, `
		select exists (select from pg_catalog.pg_class where oid = pg_catalog.to_regclass($1) and relkind = 'r'),
			exists (select from pg_catalog.pg_constraint where contype = 'f' and confrelid = pg_catalog.to_regclass($1)),
			exists (select from pg_catalog.pg_trigger where tgrelid = pg_catalog.to_regclass($1) and tgenabled in ('A', 'R'))
				or exists (select from pg_catalog.pg_rewrite where ev_class = pg_catalog.to_regclass($1) and ev_enabled in ('A', 'R'))`,
		tbl.name).Scan(&exists, &tbl.referenced, &firing); err != nil {
		return nil, t.wrap("look up table "+rel.String(), err)
	}
	if !exists {
		return nil, &sink.Mismatch{Table: rel.String(), Reason: "the table is not there", Remedy: t.remake("make it", rel)}
	}
	if firing {
		if tbl.loud, err = t.listen(ctx, t.conn, name, now); err != nil {
			return nil, err
		}
	}
	numbers := make([]int16, len(rel.Columns))
	for i, c := range rel.Columns {
		f, ok := there[c.Name]
		switch {
		case !ok:
			return nil, &sink.Mismatch{Table: rel.String(), Reason: fmt.Sprintf("column %s is not there", schema.Quote(c.Name)),
				Remedy: t.remake("add it", rel)}
		case f.generated:
			return nil, &sink.Mismatch{Table: rel.String(), Reason: fmt.Sprintf("column %s is generated on the replica and is not on the master", schema.Quote(c.Name)),
				Remedy: t.remake("make it", rel)}
		}
		tbl.columns[i], numbers[i] = f.column, f.number
	}
	if err := t.findKey(ctx, tbl, numbers); err != nil {
		return nil, err
	}
	for i := range tbl.columns {
		if tbl.columns[i].always && !slices.Contains(tbl.key, i) {
			tbl.always = true
		}
	}
	return tbl, nil
}

// remake says how a table is repaired whose definition was changed by hand.
func (t *Target) remake(what string, rel *change.Relation) string {
	return fmt.Sprintf("%s on the replica as it is on the master, and copy the rows again with bridge repair --replica %s --table %s", what, t.o.Name, rel)
}

// findKey chooses what finds a row: the master's replica identity, or, where that is
// the whole row, the replica's own primary key. The equality operators are those of
// the index, which may live in any schema.
func (t *Target) findKey(ctx context.Context, tbl *table, numbers []int16) error {
	var identity []int
	for i, c := range tbl.rel.Columns {
		if c.Key && tbl.rel.Identity != "f" {
			identity = append(identity, i)
		}
	}
	rows, err := t.conn.Query(ctx, `
		select i.indkey::int2[], i.indisprimary,
			array(
				select pg_catalog.format('operator(%I.%s)', n.nspname, o.oprname)
				from pg_catalog.unnest(i.indclass::oid[]) with ordinality u (opclass, n)
				join pg_catalog.pg_opclass c on c.oid = u.opclass
				join pg_catalog.pg_amop p on p.amopfamily = c.opcfamily and p.amoplefttype = c.opcintype
					and p.amoprighttype = c.opcintype and p.amopstrategy = 3 and p.amoppurpose = 's'
				join pg_catalog.pg_operator o on o.oid = p.amopopr
				join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
				order by u.n
			)
		from pg_catalog.pg_index i
		join pg_catalog.pg_class c on c.oid = i.indexrelid
		join pg_catalog.pg_am a on a.oid = c.relam and a.amname = 'btree'
		where i.indrelid = pg_catalog.to_regclass($1) and i.indisunique and i.indisvalid and i.indimmediate
			and i.indpred is null and i.indexprs is null and i.indnkeyatts <= i.indnatts
		order by i.indisprimary desc, i.indexrelid`, tbl.name)
	if err != nil {
		return t.wrap("look up the keys of table "+tbl.rel.String(), err)
	}
	type index struct {
		columns []int16
		primary bool
		equal   []string
	}
	indexes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (x index, err error) {
		err = row.Scan(&x.columns, &x.primary, &x.equal)
		return x, err
	})
	if err != nil {
		return t.wrap("look up the keys of table "+tbl.rel.String(), err)
	}
	for _, x := range indexes {
		if len(x.equal) < len(x.columns) {
			x.columns = x.columns[:len(x.equal)] // the others are included columns
		}
		var key []int
		for _, number := range x.columns {
			if i := slices.Index(numbers, number); i >= 0 {
				key = append(key, i)
			}
		}
		if len(key) != len(x.columns) || len(key) == 0 {
			continue
		}
		same := slices.Equal(slices.Sorted(slices.Values(key)), identity)
		if !same && !(x.primary && tbl.rel.Identity == "f") {
			continue
		}
		tbl.key, tbl.keyIndex = key, true
		for n, i := range key {
			tbl.columns[i].equal = x.equal[n]
		}
		return nil
	}
	tbl.key = identity // without an index here; slow, but right
	for _, i := range identity {
		tbl.columns[i].equal = "operator(pg_catalog.=)"
	}
	return nil
}

// describe shows the key of a row for a message.
func (tbl *table) describe(row change.Tuple) string {
	columns := tbl.key
	if len(columns) == 0 {
		columns = make([]int, len(row))
		for i := range row {
			columns[i] = i
		}
	}
	var b strings.Builder
	for n, i := range columns {
		if n > 0 {
			b.WriteString(", ")
		}
		b.WriteString(tbl.rel.Columns[i].Name + "=")
		switch v := row[i]; v.Kind {
		case change.Null:
			b.WriteString("null")
		case change.Unchanged:
			b.WriteString("(unchanged)")
		default:
			if len(v.Data) > 64 {
				fmt.Fprintf(&b, "%.64q…", v.Data)
			} else {
				b.Write(v.Data)
			}
		}
		if b.Len() > 400 {
			b.WriteString(" …")
			break
		}
	}
	return b.String()
}
