package schema

import (
	"slices"
	"strings"
)

// check is a CHECK constraint of a table.
type check struct {
	Name       string
	Definition string
	Local      bool // declared on this table, perhaps on a parent too
	inline     bool // stands in CREATE TABLE
	node       *node
}

type constraintRow struct {
	OID        uint32 `json:",string"`
	Table      uint32 `json:"table_oid,string"`
	Name       string
	Type       string
	Definition string
	Valid      bool
	Local      bool
	Inherited  bool
	NoInherit  bool   `json:"no_inherit"`
	Index      uint32 `json:"index_oid,string"` // that the constraint is made of
	Column     int16  `json:"column_num"`
}

var constraintSource = source{class: inConstraint, part: "constraints", key: "c.oid", table: "c.conrelid", sql: `
select c.oid, c.conrelid as table_oid, c.conname as name, c.contype::text as type, pg_catalog.pg_get_constraintdef(c.oid) as definition,
	c.convalidated as valid, c.conislocal as local, c.coninhcount > 0 as inherited, c.connoinherit as no_inherit,
	coalesce(c.conkey[1], 0)::int2 as column_num, c.conindid as index_oid
from pg_catalog.pg_constraint c
join pg_catalog.pg_namespace n on n.oid = c.connamespace
where c.conrelid <> 0
	and (c.contype in ('p', 'u', 'x') or c.contype in ('c', 'f', 'n') and c.conparentid = 0)
	and ` + userSchema}

// addConstraints adds the constraints that are not made of an index.
func (r *reader) addConstraints() {
	constraints := slices.SortedFunc(slices.Values(r.in.Constraints), func(a, b constraintRow) int { return strings.Compare(a.Name, b.Name) })
	for _, c := range constraints {
		t := r.relations[c.Table]
		if t == nil || t.Kind == "f" {
			continue
		}
		id, name := ref{inConstraint, c.OID}, Quote(c.Name)
		address := "constraint " + name + " on " + t.quoted()
		o := &Object{Name: c.Name, OID: c.OID, Definition: c.Definition}
		switch c.Type {
		case "n":
			col := byNum(t.columns, c.Column)
			if col == nil {
				r.refuse("constraint %s of %s: no column %d", name, t.quoted(), c.Column)
				return
			}
			col.notNull = notNull{name: c.Name, noInherit: c.NoInherit, notValid: !c.Valid}
			if c.Valid {
				r.graph.byRef[id] = t.node
				if r.target >= 18 {
					t.node.address[id] = address
				}
				continue
			}
			if r.target < 18 {
				continue
			}
			o.Kind, o.Phase = KindNotNull, PostData
			o.Create = []string{"alter table " + t.quoted() + " add constraint " + name + " " + c.Definition}
			if c.Inherited && !c.Local {
				o.Create, o.Definition = nil, ""
			}
			r.addPart(o, id, address, t)
		case "f":
			only := "only "
			if t.Kind == "p" {
				only = "" // the partitions get theirs by it
			}
			o.Kind, o.Phase = KindForeignKey, PostData
			o.Create = []string{"alter table " + only + t.quoted() + " add constraint " + name + " " + c.Definition}
			r.addPart(o, id, address, t)
		case "c":
			o.Kind, o.clause = KindCheck, c.Definition
			if c.Inherited {
				o.Definition = "" // it is the parent's
			}
			k := &check{Name: c.Name, Definition: c.Definition, Local: c.Local, inline: c.Valid && r.graph.fitsInside(id)}
			n := r.addPart(o, id, address, t)
			k.node = n
			t.checks = append(t.checks, k)
			switch {
			case k.inline:
				n.inside = t.node
			case !c.Valid && c.Inherited && !c.Local:
				// Comes from the parent's, which is added when parent and child are tied.
			default:
				o.Create = []string{"alter table " + t.quoted() + " add constraint " + name + " " + c.Definition}
			}
			if !c.Valid {
				o.Phase = PostData
				k.node = nil // too late for attaching a partition, and not needed there
			}
			if !k.inline && c.Inherited && !c.Local && !t.Partition && r.naturalOrder(t) {
				o.Create = nil // likewise
			}
		}
	}
}
