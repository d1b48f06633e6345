package schema

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// commentRow is a row of pg_description.
type commentRow struct {
	Class  uint32 `json:",string"`
	OID    uint32 `json:",string"`
	Column int16  `json:"column_num"`
	Text   string
}

// ownComments returns the query for the comments on an object of a class and its columns.
func ownComments(class uint32) string {
	sql := fmt.Sprintf(`
	select d.classoid as class, d.objoid as oid, d.objsubid as column_num, d.description as text
	from pg_catalog.pg_description d
	where d.classoid = %d
		and d.objoid = h.oid`, class)
	switch class {
	case inNamespace:
		sql += `
		and (d.objoid >= 16384 or d.description <> 'standard public schema')`
	case inType:
		sql += `
	union all
	select d.classoid, d.objoid, d.objsubid, d.description
	from pg_catalog.pg_type t
	join pg_catalog.pg_description d on d.classoid = 1259 and d.objoid = t.typrelid
	where t.oid = h.oid
	union all
	select d.classoid, d.objoid, d.objsubid, d.description
	from pg_catalog.pg_constraint c
	join pg_catalog.pg_description d on d.classoid = 2606 and d.objoid = c.oid
	where c.contypid = h.oid`
	}
	return sql + `
	order by 1, 2, 3`
}

// addComments adds the comments on everything that is in the model, but extensions, which bring their own.
func (r *reader) addComments() {
	for _, c := range r.in.Comments {
		id := ref{c.Class, c.OID}
		n := r.graph.byRef[id]
		if n == nil && c.Column != 0 {
			n = r.graph.resolve(id) // a column of a composite type
		}
		if n == nil || n.obj.Kind == KindExtension {
			continue
		}
		address := n.address[id]
		if c.Column != 0 {
			column := byNum(r.columns[c.OID], c.Column)
			if column == nil {
				continue
			}
			address = "column " + Quote(n.obj.Schema, n.obj.Name, column.Name)
		}
		if address == "" {
			continue
		}
		o := &Object{Kind: KindComment, Schema: n.obj.Schema, Table: n.obj.Table, Name: address, Phase: PostData, Definition: c.Text,
			Create: []string{"comment on " + address + " is " + literal(c.Text)}}
		if o.Table == "" && r.relations[c.OID] != nil && c.Class == inClass {
			o.Table = n.obj.Name
		}
		comment := r.graph.add(o, ref{})
		comment.parent = n
		comment.needs(n)
	}
}

// addNotCovered names what the model lacks, beside what the other methods came upon.
func (r *reader) addNotCovered() {
	for _, n := range r.graph.nodes {
		if n.uncovered && !n.excluded && n.obj.Kind != KindIndexPartition {
			r.notCovered = append(r.notCovered, n.obj.String())
		}
	}
	slices.Sort(r.notCovered)
}

// readNotInImage adds what NotInImage names.
func readNotInImage(ctx context.Context, conn *pgx.Conn, m *Model) error {
	names, err := NotInImage(ctx, conn)
	m.NotCovered = append(m.NotCovered, names...)
	slices.Sort(m.NotCovered)
	return err
}

// NotInImage names what is not covered either, and an image does not tell of: no event tells of its making, or it is no
// matter of the schema. What is the bridge's own is left out.
func NotInImage(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	var installed bool
	var publication string
	err := conn.QueryRow(ctx, `
select exists (
	select
	from pg_catalog.pg_class c
	join pg_catalog.pg_namespace n on n.oid = c.relnamespace
	where n.nspname = 'bridge' and c.relname = 'setting'
		and pg_catalog.has_schema_privilege(n.oid, 'usage') and pg_catalog.has_table_privilege(c.oid, 'select'))`, pgx.QueryExecModeExec).Scan(&installed)
	if err == nil && installed {
		err = conn.QueryRow(ctx, `select coalesce((select s.publication::text from bridge.setting s), '')`, pgx.QueryExecModeExec).Scan(&publication)
	}
	if err != nil {
		return nil, err
	}
	return query(ctx, conn, `
select 'event trigger ' || pg_catalog.quote_ident(e.evtname) as name
from pg_catalog.pg_event_trigger e
join pg_catalog.pg_proc p on p.oid = e.evtfoid
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where n.nspname <> 'bridge'
	and not exists (select from pg_catalog.pg_depend d where d.classid = 3466 and d.objid = e.oid and d.deptype = 'e')
union all
select 'user mapping for ' || pg_catalog.quote_ident(u.usename) || ' on server ' || pg_catalog.quote_ident(u.srvname)
from pg_catalog.pg_user_mappings u
union all
select 'publication ' || pg_catalog.quote_ident(p.pubname)
from pg_catalog.pg_publication p
where p.pubname <> `+literal(publication)+`
union all
select 'subscription ' || pg_catalog.quote_ident(s.subname)
from pg_catalog.pg_subscription s
where s.subdbid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
union all
select count(*) || ' large objects'
from pg_catalog.pg_largeobject_metadata
having count(*) > 0
union all
select count(*) || ' security labels'
from pg_catalog.pg_seclabel l
where l.objoid >= 16384
having count(*) > 0
order by 1`, pgx.RowTo[string])
}
