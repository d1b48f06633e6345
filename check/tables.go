package check

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// A publication may list the root of a partition tree; the data is in its leaves.
const tablesSQL = `
with published as (
    select c.oid, c.relkind
    from pg_publication_tables p
    join pg_namespace n on n.nspname = p.schemaname
    join pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
    where p.pubname = $1
), leaf as (
    select oid from published
    union
    select t.relid from published p, pg_partition_tree(p.oid) t where p.relkind = 'p' and t.isleaf
)
select n.nspname::text, c.relname::text, a.names, a.generated, k.names
from leaf
join pg_class c on c.oid = leaf.oid and c.relkind = 'r'
join pg_namespace n on n.oid = c.relnamespace
cross join lateral (
    select coalesce(array_agg(attname::text order by attnum), '{}') as names,
           coalesce(array_agg(attgenerated <> '' order by attnum), '{}') as generated
    from pg_attribute
    where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated <> 'v'
) a
cross join lateral (
    select coalesce(array_agg(att.attname::text order by col.place), '{}') as names
    from (
        select indkey, indnkeyatts
        from pg_index
        where indrelid = c.oid and indisvalid and (indisprimary or indisreplident)
        order by indisprimary desc
        limit 1
    ) i
    cross join lateral unnest(i.indkey) with ordinality as col(attnum, place)
    join pg_attribute att on att.attrelid = c.oid and att.attnum = col.attnum
    where col.place <= i.indnkeyatts
) k
order by 1, 2`

// Tables lists the tables of a publication that match accepts (nil: all), sorted by name. Of a partitioned table it
// lists the partitions that hold rows.
func Tables(ctx context.Context, master *pgx.Conn, publication string, match func(schema, table string) bool) ([]Table, error) {
	var exists bool
	err := master.QueryRow(ctx, `select exists (select from pg_publication where pubname = $1)`,
		pgx.QueryExecModeExec, publication).Scan(&exists)
	if err != nil {
		return nil, fmt.Errorf("look for publication %s: %w", publication, err)
	}
	if !exists {
		return nil, fmt.Errorf("publication %s does not exist", publication)
	}
	rows, err := master.Query(ctx, tablesSQL, pgx.QueryExecModeExec, publication)
	if err != nil {
		return nil, fmt.Errorf("list tables of publication %s: %w", publication, err)
	}
	defer rows.Close()
	var tables []Table
	for rows.Next() {
		var t Table
		var names []string
		var generated []bool
		if err := rows.Scan(&t.Schema, &t.Name, &names, &generated, &t.Key); err != nil {
			return nil, fmt.Errorf("list tables of publication %s: %w", publication, err)
		}
		if match != nil && !match(t.Schema, t.Name) {
			continue
		}
		for i, name := range names {
			t.Columns = append(t.Columns, Column{Name: name, Generated: generated[i]})
		}
		tables = append(tables, t)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list tables of publication %s: %w", publication, err)
	}
	return tables, nil
}

// relation is a table as one server has it.
type relation struct {
	oid     uint32
	kind    string // relkind
	pages   int64
	rows    int64 // an estimate
	columns []column
}

// column is a column as one server has it.
type column struct {
	name     string
	typ      string // format_type
	category string // typcategory
	equals   string // the equality operator of a btree index over it, qualified; empty: no such index
}

// bare says whether values are written without quotes.
func (c column) bare() bool { return c.category == "N" || c.category == "B" }

func (r *relation) column(name string) (column, bool) {
	i := slices.IndexFunc(r.columns, func(c column) bool { return c.name == name })
	if i < 0 {
		return column{}, false
	}
	return r.columns[i], true
}

func (r *relation) same(o *relation) bool {
	return r.oid == o.oid && slices.Equal(r.columns, o.columns)
}

const relationSQL = `
select c.oid, c.relkind::text, c.relpages::bigint, greatest(c.reltuples, 0)::bigint
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p')`

const columnsSQL = `
select a.attname::text, format_type(a.atttypid, a.atttypmod), t.typcategory::text, coalesce(eq.operator, '')
from pg_attribute a
join pg_type t on t.oid = a.atttypid
left join lateral (
    select quote_ident(n.nspname) || '.' || o.oprname as operator
    from pg_index i
    cross join lateral unnest(i.indkey::int2[], i.indclass::oid[]) as k(attnum, class)
    join pg_opclass oc on oc.oid = k.class
    join pg_am am on am.oid = oc.opcmethod and am.amname = 'btree'
    join pg_amop ao on ao.amopfamily = oc.opcfamily and ao.amopstrategy = 3
        and ao.amoplefttype = oc.opcintype and ao.amoprighttype = oc.opcintype
    join pg_operator o on o.oid = ao.amopopr
    join pg_namespace n on n.oid = o.oprnamespace
    where i.indrelid = a.attrelid and k.attnum = a.attnum and i.indisvalid
    order by i.indisprimary desc, i.indisunique desc, i.indexrelid
    limit 1
) eq on true
where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped
order by a.attnum`

// describe returns a table as conn's server has it, or nil when there is none.
func describe(ctx context.Context, conn *pgx.Conn, schema, name string) (*relation, error) {
	r := &relation{}
	err := conn.QueryRow(ctx, relationSQL, pgx.QueryExecModeExec, schema, name).Scan(&r.oid, &r.kind, &r.pages, &r.rows)
	if err == pgx.ErrNoRows {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(ctx, columnsSQL, pgx.QueryExecModeExec, r.oid)
	if err != nil {
		return nil, err
	}
	r.columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c column, err error) {
		return c, row.Scan(&c.name, &c.typ, &c.category, &c.equals)
	})
	return r, err
}

// open looks at the table on both sides and reports what the replica lacks. It says whether there is anything left
// whose rows can be compared.
func (c *comparison) open(ctx context.Context, master, replica *pgx.Conn) (bool, error) {
	var m, r *relation
	for look := 1; ; look++ {
		before, err := describe(ctx, master, c.table.Schema, c.table.Name)
		if err != nil {
			return false, fmt.Errorf("describe on master: %w", err)
		}
		if before == nil {
			return false, ErrGone
		}
		if err := c.catchUp(ctx); err != nil {
			return false, err
		}
		if r, err = describe(ctx, replica, c.table.Schema, c.table.Name); err != nil {
			return false, fmt.Errorf("describe on replica: %w", err)
		}
		if m, err = describe(ctx, master, c.table.Schema, c.table.Name); err != nil {
			return false, fmt.Errorf("describe on master: %w", err)
		}
		// What is missing is looked for again, a moment later: the replica may have been ahead of what the master shows.
		steady := m != nil && m.same(before)
		if steady && (look >= 3 || r != nil && len(c.missing(m, r)) == 0) {
			break
		}
		if look == 20 {
			return false, fmt.Errorf("its columns change all the time")
		}
		if err := pause(ctx, lookPause); err != nil {
			return false, err
		}
	}
	if r == nil {
		c.add(Difference{What: MissingTable})
		return false, nil
	}
	if missing := c.missing(m, r); len(missing) > 0 {
		c.add(Difference{What: MissingColumn, Columns: missing})
	}
	var err error
	if c.master, err = newSide(ctx, "master", master, c.table, m, m, r); err != nil {
		return false, err
	}
	if c.replica, err = newSide(ctx, "replica", replica, c.table, r, m, r); err != nil {
		return false, err
	}
	return true, nil
}

// lookPause is the time between two looks at something that seems to differ.
const lookPause = 100 * time.Millisecond

// missing returns the columns to compare that the master has and the replica has not.
func (c *comparison) missing(m, r *relation) (names []string) {
	for _, col := range c.table.Columns {
		_, onMaster := m.column(col.Name)
		_, onReplica := r.column(col.Name)
		if onMaster && !onReplica {
			names = append(names, col.Name)
		}
	}
	return names
}
