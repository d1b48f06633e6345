package schema

import (
	"strings"

	"github.com/pgbridge/pgbridge/change"
)

type typeRow struct {
	OID          uint32 `json:",string"`
	Schema       string
	Name         string
	Kind         string // typtype
	Labels       []string
	LabelOIDs    []uint32 `json:"label_oids"`
	Relation     uint32   `json:",string"`
	Attributes   []string
	Base         string // of domains
	Collation    string
	NotNull      bool `json:"not_null"`
	Default      string
	RangeOptions []string `json:"range_options"`
	Canonical    bool
	owned
}

// Relabels says whether a label of an enum has another name in the entry behind it, of the same type. Where an entry can not be read, one may have.
func Relabels(before, after *change.Entry) bool {
	if before.Address.Class != inType {
		return false
	}
	names := map[uint32]string{}
	for i, e := range []*change.Entry{before, after} {
		r, err := parseRecord(e.Text)
		if err != nil {
			return true
		}
		for _, t := range r.Rows.Types {
			for k, oid := range t.LabelOIDs[:min(len(t.LabelOIDs), len(t.Labels))] {
				if old, there := names[oid]; i == 1 && there && old != t.Labels[k] {
					return true
				}
				names[oid] = t.Labels[k]
			}
		}
	}
	return false
}

var typeSource = source{class: inType, part: "types", key: "t.oid", sql: `
select t.oid, n.nspname as schema, t.typname as name, t.typtype::text as kind,
	(select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid) as labels,
	(select array_agg(e.oid::bigint order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid) as label_oids,
	t.typrelid as relation,
	(
		select array_agg(pg_catalog.quote_ident(a.attname) || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
			|| case when a.attcollation <> at.typcollation and a.attcollation <> 0 then ' collate ' || a.attcollation::regcollation::text else '' end
			order by a.attnum)
		from pg_catalog.pg_attribute a
		join pg_catalog.pg_type at on at.oid = a.atttypid
		where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as attributes,
	pg_catalog.format_type(nullif(t.typbasetype, 0), t.typtypmod) as base,
	case when t.typtype = 'd' and t.typcollation <> b.typcollation then t.typcollation::regcollation::text end as collation,
	t.typnotnull as not_null, t.typdefault as default, r.rngcanonical <> 0 as canonical,
	case when r.rngtypid is not null then array_remove(array[
		'subtype = ' || pg_catalog.format_type(r.rngsubtype, null),
		case when not o.opcdefault then 'subtype_opclass = ' || pg_catalog.quote_ident(onsp.nspname) || '.' || pg_catalog.quote_ident(o.opcname) end,
		case when r.rngcollation <> 0 and r.rngcollation <> st.typcollation then 'collation = ' || r.rngcollation::regcollation::text end,
		case when r.rngsubdiff <> 0 then 'subtype_diff = ' || r.rngsubdiff::regproc::text end,
		'multirange_type_name = ' || r.rngmultitypid::regtype::text
	], null) end as range_options, pg_catalog.pg_get_userbyid(t.typowner) as owner, t.typacl::text[] as acl
from pg_catalog.pg_type t
join pg_catalog.pg_namespace n on n.oid = t.typnamespace
left join pg_catalog.pg_type b on b.oid = t.typbasetype
left join pg_catalog.pg_class c on c.oid = t.typrelid and c.relkind = 'c'
left join pg_catalog.pg_range r on r.rngtypid = t.oid
left join pg_catalog.pg_type st on st.oid = r.rngsubtype
left join pg_catalog.pg_opclass o on o.oid = r.rngsubopc
left join pg_catalog.pg_namespace onsp on onsp.oid = o.opcnamespace
where t.typtype in ('b', 'p', 'c', 'd', 'e', 'r')
	and (t.typtype <> 'c' or c.oid is not null)
	and not (t.typtype = 'b' and t.typelem <> 0 and t.typcategory = 'A')
	and ` + userSchema, more: []part{{"domain_constraints", `
	select c.oid, c.contypid as type, c.conname as name, pg_catalog.pg_get_constraintdef(c.oid) as definition, c.convalidated as valid
	from pg_catalog.pg_constraint c
	where c.contypid = h.oid
		and c.contype = 'c'
	order by c.conname`}, {"columns", `
	select a.attrelid as relation, a.attnum as num, a.attname as name, a.atttypid as type_oid,
		pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
		case when a.attcollation <> at.typcollation and a.attcollation <> 0 then a.attcollation::regcollation::text end as collation
	from pg_catalog.pg_type t
	join pg_catalog.pg_attribute a on a.attrelid = t.typrelid
	join pg_catalog.pg_type at on at.oid = a.atttypid
	where t.oid = h.oid
		and not a.attisdropped
	order by a.attnum`}}, parts: `
		union all
		select 2606, c.oid
		from pg_catalog.pg_constraint c
		where c.contypid = h.oid
		union all
		(
			with recursive part(class, oid) as (
				select 1247::oid, h.oid
				union
				select d.classid, d.objid
				from part p
				join pg_catalog.pg_depend d on d.refclassid = p.class and d.refobjid = p.oid
				where d.deptype = 'i'
			)
			select class, oid from part
		)`}

// addTypes adds the types that are made by CREATE TYPE and CREATE DOMAIN. Row types, array types and multiranges come
// with what they are made for.
func (r *reader) addTypes() {
	domains := map[uint32][]domainConstraint{}
	for _, c := range r.in.DomainConstraints {
		domains[c.Type] = append(domains[c.Type], c)
	}
	for _, t := range r.in.Types {
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
		r.own(n, ref{inType, t.OID}, t.owned, "type", name, nil, nil)
		switch t.Kind {
		case "e":
			labels := make([]string, len(t.Labels))
			if len(t.LabelOIDs) != len(t.Labels) {
				r.refuse("type %s: %d labels and %d OIDs of them", name, len(t.Labels), len(t.LabelOIDs))
				return
			}
			for i, label := range t.Labels {
				labels[i] = literal(label)
				o.parts = append(o.parts, component{id: t.LabelOIDs[i], name: label})
			}
			o.Definition = "enum (" + strings.Join(labels, ", ") + ")"
			o.Create = []string{"create type " + name + " as " + o.Definition}
		case "c":
			for _, c := range r.columns[t.Relation] {
				o.parts = append(o.parts, component{id: uint32(c.Num), name: c.Name, text: c.Type + c.collation()})
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
				o.parts = append(o.parts, component{id: c.OID, name: c.Name, text: c.Definition})
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
}

type domainConstraint struct {
	OID        uint32 `json:",string"`
	Type       uint32 `json:",string"`
	Name       string
	Definition string
	Valid      bool
}
