package schema

import (
	"context"
	"strings"
)

// readTypes reads the types that are made by CREATE TYPE and CREATE DOMAIN. Row types, array types and multiranges come
// with what they are made for.
func (r *reader) readTypes(ctx context.Context) error {
	rows, err := query[struct {
		OID          uint32
		Schema, Name string
		Kind         string // typtype
		Labels       []string
		LabelOIDs    []uint32 `db:"label_oids"`
		Relation     uint32
		Attributes   []string
		Base         string // of domains
		Collation    string
		NotNull      bool
		Default      string
		RangeOptions []string
		Canonical    bool
	}](ctx, r, `
select t.oid, n.nspname as schema, t.typname as name, t.typtype::text as kind, e.labels, e.label_oids, a.attributes, t.typrelid as relation,
	coalesce(pg_catalog.format_type(nullif(t.typbasetype, 0), t.typtypmod), '') as base,
	case when t.typtype = 'd' and t.typcollation <> b.typcollation then t.typcollation::regcollation::text else '' end as collation,
	t.typnotnull as not_null, coalesce(t.typdefault, '') as default,
	coalesce(r.rngcanonical <> 0, false) as canonical,
	case when r.rngtypid is not null then array_remove(array[
		'subtype = ' || pg_catalog.format_type(r.rngsubtype, null),
		case when not o.opcdefault then 'subtype_opclass = ' || pg_catalog.quote_ident(onsp.nspname) || '.' || pg_catalog.quote_ident(o.opcname) end,
		case when r.rngcollation <> 0 and r.rngcollation <> st.typcollation then 'collation = ' || r.rngcollation::regcollation::text end,
		case when r.rngsubdiff <> 0 then 'subtype_diff = ' || r.rngsubdiff::regproc::text end,
		'multirange_type_name = ' || r.rngmultitypid::regtype::text
	], null) else array[]::text[] end as range_options
from pg_catalog.pg_type t
join pg_catalog.pg_namespace n on n.oid = t.typnamespace
left join pg_catalog.pg_type b on b.oid = t.typbasetype
left join pg_catalog.pg_class c on c.oid = t.typrelid
left join pg_catalog.pg_range r on r.rngtypid = t.oid
left join pg_catalog.pg_type st on st.oid = r.rngsubtype
left join pg_catalog.pg_opclass o on o.oid = r.rngsubopc
left join pg_catalog.pg_namespace onsp on onsp.oid = o.opcnamespace
left join (
	select enumtypid, array_agg(enumlabel::text order by enumsortorder) as labels, array_agg(oid order by enumsortorder) as label_oids
	from pg_catalog.pg_enum
	group by enumtypid
) e on e.enumtypid = t.oid
left join (
	select a.attrelid, array_agg(pg_catalog.quote_ident(a.attname) || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
		|| case when a.attcollation <> t.typcollation and a.attcollation <> 0 then ' collate ' || a.attcollation::regcollation::text else '' end
		order by a.attnum) as attributes
	from pg_catalog.pg_attribute a
	join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind = 'c'
	join pg_catalog.pg_type t on t.oid = a.atttypid
	where a.attnum > 0 and not a.attisdropped
	group by a.attrelid
) a on a.attrelid = t.typrelid
where t.typtype in ('b', 'p', 'c', 'd', 'e', 'r')
	and (t.typtype <> 'c' or c.relkind = 'c')
	and not (t.typtype = 'b' and t.typelem <> 0 and t.typcategory = 'A')
	and `+userSchema)
	if err != nil {
		return err
	}
	domains, err := r.readDomainConstraints(ctx)
	if err != nil {
		return err
	}
	for _, t := range rows {
		name := Quote(t.Schema, t.Name)
		o := &Object{Kind: KindType, Schema: t.Schema, Name: t.Name, OID: t.OID}
		word := "type "
		if t.Kind == "d" {
			word = "domain "
		}
		n := r.add(o, ref{inType, t.OID}, word+name)
		if n == nil {
			continue
		}
		switch t.Kind {
		case "e":
			labels := make([]string, len(t.Labels))
			for i, label := range t.Labels {
				labels[i] = literal(label)
				o.parts = append(o.parts, part{id: t.LabelOIDs[i], name: label})
			}
			o.Definition = "enum (" + strings.Join(labels, ", ") + ")"
			o.Create = []string{"create type " + name + " as " + o.Definition}
		case "c":
			for _, c := range r.columns[t.Relation] {
				o.parts = append(o.parts, part{id: uint32(c.Num), name: c.Name, text: c.Type + c.collation()})
			}
			o.Definition = "(" + strings.Join(t.Attributes, ", ") + ")"
			o.Create = []string{"create type " + name + " as " + o.Definition}
		case "r":
			if t.Canonical {
				n.uncovered = true // its canonical function is written in C, and needs the type before it exists
				continue
			}
			o.Definition = "range (" + strings.Join(t.RangeOptions, ", ") + ")"
			o.Create = []string{"create type " + name + " as " + o.Definition}
		case "d":
			o.domain = &domain{base: t.Base, byDefault: t.Default, notNull: t.NotNull}
			o.Definition = "domain " + t.Base
			if t.Collation != "" {
				o.Definition += " collate " + t.Collation
			}
			if t.Default != "" {
				o.Definition += " default " + t.Default
			}
			if t.NotNull {
				o.Definition += " not null"
			}
			create := "create domain " + name + " as " + strings.TrimPrefix(o.Definition, "domain ")
			var later []string
			for _, c := range domains[t.OID] {
				r.graph.byRef[ref{inConstraint, c.OID}] = n
				n.address[ref{inConstraint, c.OID}] = "constraint " + Quote(c.Name) + " on domain " + name
				o.parts = append(o.parts, part{id: c.OID, name: c.Name, text: c.Definition})
				text := " constraint " + Quote(c.Name) + " " + c.Definition
				o.Definition += text
				if c.Valid {
					create += text
				} else {
					later = append(later, "alter domain "+name+" add"+text)
				}
			}
			o.Create = append([]string{create}, later...)
		default:
			n.uncovered = true // base types need functions in C; shell types are not finished
		}
	}
	return nil
}

type domainConstraint struct {
	OID        uint32
	Type       uint32
	Name       string
	Definition string
	Valid      bool
}

func (r *reader) readDomainConstraints(ctx context.Context) (map[uint32][]domainConstraint, error) {
	rows, err := query[domainConstraint](ctx, r, `
select c.oid, c.contypid as type, c.conname as name, pg_catalog.pg_get_constraintdef(c.oid) as definition, c.convalidated as valid
from pg_catalog.pg_constraint c
join pg_catalog.pg_namespace n on n.oid = c.connamespace
where c.contypid <> 0
	and c.contype = 'c'
	and `+userSchema+`
order by c.conname`)
	byType := map[uint32][]domainConstraint{}
	for _, c := range rows {
		byType[c.Type] = append(byType[c.Type], c)
	}
	return byType, err
}
