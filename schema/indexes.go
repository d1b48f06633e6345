package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

type indexRow struct {
	OID             uint32 `json:",string"`
	Table           uint32 `json:"table_oid,string"`
	Schema          string
	Name            string
	Definition      string
	Primary         bool
	ReplicaIdentity bool `json:"replica_identity"`
	Clustered       bool
	Parent          uint32  `json:",string"`
	Columns         []int16 `json:"key_columns"`
	Statistics      []string
}

var indexSource = source{class: inClass, part: "indexes", key: "c.oid", table: "i.indrelid", kinds: "'i', 'I'", sql: `
select c.oid, i.indrelid as table_oid, n.nspname as schema, c.relname as name, pg_catalog.pg_get_indexdef(c.oid) as definition,
	i.indisprimary as primary, i.indisreplident as replica_identity, i.indisclustered as clustered,
	(select inh.inhparent from pg_catalog.pg_inherits inh where inh.inhrelid = c.oid) as parent,
	(i.indkey::int2[])[0:i.indnkeyatts - 1] as key_columns,
	(
		select array_agg(a.attnum || ' set statistics ' || a.attstattarget order by a.attnum)
		from pg_catalog.pg_attribute a
		where a.attrelid = c.oid and a.attstattarget >= 0) as statistics
from pg_catalog.pg_class c
join pg_catalog.pg_index i on i.indexrelid = c.oid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('i', 'I')
	and (i.indisvalid or c.relkind = 'I')
	and i.indisready
	and ` + userSchema}

// addIndexes reads indexes, and the constraints that are made of them: primary keys, unique and exclusion constraints.
func (r *reader) addIndexes() {
	var attached []indexPartition
	constraints := map[uint32]*constraintRow{}
	for i, c := range r.in.Constraints {
		if strings.Contains("pux", c.Type) {
			constraints[c.Index] = &r.in.Constraints[i]
		}
	}
	indexes := slices.SortedFunc(slices.Values(r.in.Indexes), func(a, b indexRow) int {
		return cmp.Or(strings.Compare(a.Schema, b.Schema), strings.Compare(a.Name, b.Name))
	})
	for _, x := range indexes {
		t := r.relations[x.Table]
		if t == nil || t.Kind == "f" {
			continue
		}
		name, id := Quote(x.Schema, x.Name), ref{inClass, x.OID}
		o := &Object{Kind: KindIndex, Name: x.Name, OID: x.OID, Phase: PostData, Definition: x.Definition, Create: []string{x.Definition}, keyColumns: x.Columns}
		n := r.addPart(o, id, "index "+name, t)
		if n == nil {
			continue
		}
		if c := constraints[x.OID]; c != nil && c.Table == x.Table {
			o.Kind, o.Name, o.Class, o.OID, o.Definition = KindConstraint, c.Name, inConstraint, c.OID, c.Definition
			o.Create = []string{"alter table only " + t.quoted() + " add constraint " + Quote(c.Name) + " " + c.Definition}
			key := ref{inConstraint, c.OID}
			r.graph.byRef[key] = n
			n.address[key] = "constraint " + Quote(c.Name) + " on " + t.quoted()
		}
		if x.Primary || x.ReplicaIdentity {
			o.Phase = Keys
		}
		if x.Clustered {
			word := "table "
			if t.Kind == "m" {
				word = "materialized view "
			}
			o.Definition += "\nclustered"
			o.Create = append(o.Create, "alter "+word+t.quoted()+" cluster on "+Quote(x.Name))
		}
		for _, s := range x.Statistics {
			o.Definition += "\ncolumn " + s
			o.Create = append(o.Create, "alter index "+name+" alter column "+s)
		}
		if x.Parent != 0 {
			attach := &Object{Kind: KindIndexPartition, Name: x.Name, Class: inClass, OID: x.OID}
			a := r.addPart(attach, ref{}, "", t)
			a.needs(n)
			attached = append(attached, indexPartition{a, name, x.Parent})
		}
		if x.Primary || x.ReplicaIdentity {
			names := make([]string, len(x.Columns))
			for i, num := range x.Columns {
				c := byNum(t.columns, num)
				if c == nil {
					r.refuse("index %s: no column %d", name, num)
					return
				}
				names[i] = c.Name
			}
			if t.node.obj.Relation == nil {
				t.node.obj.Relation = &Table{}
			}
			if x.Primary {
				t.node.obj.Relation.PrimaryKey = names
			}
			if x.ReplicaIdentity {
				t.node.obj.Relation.Identity = names
				identity := &Object{Kind: KindReplicaIdentity, Name: t.Name, Phase: Keys, Definition: fmt.Sprintf("index %s", Quote(x.Name)),
					Create: []string{"alter table only " + t.quoted() + " replica identity using index " + Quote(x.Name)}}
				r.addPart(identity, ref{}, "", t).needs(n)
			}
		}
	}
	for _, p := range attached {
		parent := r.graph.byRef[ref{inClass, p.parent}]
		if parent == nil {
			p.attach.uncovered = true
			continue
		}
		// The constraint that an index makes has the same name, in all versions.
		name := Quote(parent.obj.Schema, parent.obj.Name)
		p.attach.needs(parent)
		p.attach.obj.Definition = "of " + name
		p.attach.obj.Create = []string{"alter index " + name + " attach partition " + p.index}
	}
}

// indexPartition is an index of a partition that is part of one of the partitioned table.
type indexPartition struct {
	attach *node
	index  string // its qualified name
	parent uint32
}
