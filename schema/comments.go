package schema

import (
	"context"
)

// readComments reads the comments on everything that is in the model, but extensions, which bring their own.
func (r *reader) readComments(ctx context.Context) error {
	rows, err := query[struct {
		Class  uint32
		OID    uint32
		Column int16 `db:"column_num"`
		Text   string
	}](ctx, r, `
select d.classoid as class, d.objoid as oid, d.objsubid::int2 as column_num, d.description as text
from pg_catalog.pg_description d
where d.objoid >= 16384
	or d.classoid = 2615 and d.description <> 'standard public schema'`)
	if err != nil {
		return err
	}
	for _, c := range rows {
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
	return nil
}

// readNotCovered names what the model lacks, beside what the other methods came upon.
func (r *reader) readNotCovered(ctx context.Context) error {
	for _, n := range r.graph.nodes {
		if n.uncovered && !n.excluded && n.obj.Kind != KindIndexPartition {
			r.notCovered = append(r.notCovered, n.obj.String())
		}
	}
	rows, err := query[struct {
		Class uint32
		OID   uint32
		Name  string
	}](ctx, r, `
select 2612::oid as class, oid, 'language ' || pg_catalog.quote_ident(lanname) as name
from pg_catalog.pg_language
where oid >= 16384
union all
select 3576, oid, 'transform for ' || pg_catalog.format_type(trftype, null)
from pg_catalog.pg_transform
union all
select 2607, c.oid, 'conversion ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.conname)
from pg_catalog.pg_conversion c
join pg_catalog.pg_namespace n on n.oid = c.connamespace
where `+userSchema+`
union all
select 2601, oid, 'access method ' || pg_catalog.quote_ident(amname)
from pg_catalog.pg_am
where oid >= 16384
union all
select 2328, oid, 'foreign data wrapper ' || pg_catalog.quote_ident(fdwname)
from pg_catalog.pg_foreign_data_wrapper
union all
select 1417, oid, 'server ' || pg_catalog.quote_ident(srvname)
from pg_catalog.pg_foreign_server
union all
select 3466, e.oid, 'event trigger ' || pg_catalog.quote_ident(e.evtname)
from pg_catalog.pg_event_trigger e
join pg_catalog.pg_proc p on p.oid = e.evtfoid
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where n.nspname <> 'bridge'
union all
select 2613, 0, count(*) || ' large objects'
from pg_catalog.pg_largeobject_metadata
having count(*) > 0
order by 3`)
	if err != nil {
		return err
	}
	for _, x := range rows {
		if _, member := r.graph.members[ref{x.Class, x.OID}]; !member {
			r.notCovered = append(r.notCovered, x.Name)
		}
	}
	return nil
}
