package schema

import (
	"context"
	"fmt"
)

// readIndexes reads indexes, and the constraints that are made of them: primary keys, unique and exclusion constraints.
func (r *reader) readIndexes(ctx context.Context) error {
	rows, err := query[struct {
		OID             uint32
		Table           uint32 `db:"table_oid"`
		Schema, Name    string
		Definition      string
		Primary         bool
		ReplicaIdentity bool
		Clustered       bool
		Parent          uint32
		Constraint      uint32 `db:"constraint_oid"`
		ConstraintName  string
		ConstraintText  string
		Columns         []int16 `db:"key_columns"`
		Statistics      []string
	}](ctx, r, `
select c.oid, i.indrelid as table_oid, n.nspname as schema, c.relname as name, pg_catalog.pg_get_indexdef(c.oid) as definition,
	i.indisprimary as primary, i.indisreplident as replica_identity, i.indisclustered as clustered,
	coalesce(h.inhparent, 0) as parent,
	coalesce(k.oid, 0) as constraint_oid, coalesce(k.conname, '') as constraint_name,
	case when k.oid is null then '' else pg_catalog.pg_get_constraintdef(k.oid) end as constraint_text,
	(i.indkey::int2[])[0:i.indnkeyatts - 1] as key_columns, s.statistics
from pg_catalog.pg_index i
join pg_catalog.pg_class c on c.oid = i.indexrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_inherits h on h.inhrelid = c.oid
left join pg_catalog.pg_constraint k on k.conindid = c.oid and k.conrelid = i.indrelid and k.contype in ('p', 'u', 'x')
left join (
	select a.attrelid, array_agg(a.attnum || ' set statistics ' || a.attstattarget order by a.attnum) as statistics
	from pg_catalog.pg_attribute a
	join pg_catalog.pg_class c on c.oid = a.attrelid and c.relkind in ('i', 'I')
	where a.attstattarget >= 0
	group by a.attrelid
) s on s.attrelid = c.oid
where (i.indisvalid or c.relkind = 'I')
	and i.indisready
	and `+userSchema+`
order by n.nspname, c.relname`)
	if err != nil {
		return err
	}
	var attached []indexPartition
	for _, x := range rows {
		t := r.relations[x.Table]
		if t == nil || t.Kind == "f" {
			continue
		}
		name, id := Quote(x.Schema, x.Name), ref{inClass, x.OID}
		o := &Object{Kind: KindIndex, Name: x.Name, OID: x.OID, Phase: PostData, Definition: x.Definition, Create: []string{x.Definition}}
		n := r.addPart(o, id, "index "+name, t)
		if n == nil {
			continue
		}
		if x.Constraint != 0 {
			o.Kind, o.Name, o.OID, o.Definition = KindConstraint, x.ConstraintName, x.Constraint, x.ConstraintText
			o.Create = []string{"alter table only " + t.quoted() + " add constraint " + Quote(x.ConstraintName) + " " + x.ConstraintText}
			key := ref{inConstraint, x.Constraint}
			r.graph.byRef[key] = n
			n.address[key] = "constraint " + Quote(x.ConstraintName) + " on " + t.quoted()
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
			attach := &Object{Kind: KindIndexPartition, Name: x.Name, OID: x.OID}
			a := r.addPart(attach, ref{}, "", t)
			a.needs(n)
			attached = append(attached, indexPartition{a, name, x.Parent})
		}
		if x.Primary || x.ReplicaIdentity {
			names := make([]string, len(x.Columns))
			for i, num := range x.Columns {
				names[i] = byNum(t.columns, num).Name
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
	return nil
}

// indexPartition is an index of a partition that is part of one of the partitioned table.
type indexPartition struct {
	attach *node
	index  string // its qualified name
	parent uint32
}
