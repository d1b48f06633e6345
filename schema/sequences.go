package schema

import (
	"fmt"
)

type sequenceRow struct {
	OID         uint32 `json:",string"`
	Schema      string
	Name        string
	Type        string
	Start       int64
	Increment   int64
	Minimum     int64
	Maximum     int64
	Cache       int64
	Cycle       bool
	Unlogged    bool
	Identity    bool
	OwnerTable  uint32 `json:"owner_table,string"`
	OwnerColumn int16  `json:"owner_column"`
	owned
}

var sequenceSource = source{class: inClass, part: "sequences", key: "c.oid", kinds: "'S'", sql: `
select c.oid, n.nspname as schema, c.relname as name, pg_catalog.format_type(s.seqtypid, null) as type,
	s.seqstart as start, s.seqincrement as increment, s.seqmin as minimum, s.seqmax as maximum, s.seqcache as cache,
	s.seqcycle as cycle, c.relpersistence = 'u' as unlogged, coalesce(d.deptype = 'i', false) as identity,
	coalesce(d.refobjid, 0) as owner_table, coalesce(d.refobjsubid, 0)::int2 as owner_column,
	pg_catalog.pg_get_userbyid(c.relowner) as owner, c.relacl::text[] as acl
from pg_catalog.pg_sequence s
join pg_catalog.pg_class c on c.oid = s.seqrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_depend d
	on d.classid = 1259 and d.objid = c.oid and d.refclassid = 1259 and d.refobjsubid > 0 and d.deptype in ('a', 'i')
where ` + userSchema}

// addSequences reads sequences; those of identity columns become the identity of their column.
func (r *reader) addSequences() {
	for _, s := range r.in.Sequences {
		name, id := Quote(s.Schema, s.Name), ref{inClass, s.OID}
		options := fmt.Sprintf("start with %d increment by %d minvalue %d maxvalue %d cache %d", s.Start, s.Increment, s.Minimum, s.Maximum, s.Cache)
		if s.Cycle {
			options += " cycle"
		}
		table := r.relations[s.OwnerTable]
		var owner *column
		if table != nil {
			owner = byNum(table.columns, s.OwnerColumn)
		}
		if s.Identity {
			if owner == nil {
				continue // of a table of an extension
			}
			only := "only "
			if table.Kind == "p" {
				only = "" // its partitions have identity by it since PostgreSQL 17
			}
			clause := "generated " + identityWords[owner.Identity] + " as identity (sequence name " + name + " " + options + ")"
			o := &Object{Kind: KindIdentity, Name: owner.Name, OID: s.OID, Definition: clause,
				Create: []string{"alter table " + only + table.quoted() + " alter column " + Quote(owner.Name) + " add " + clause}}
			r.own(r.addPart(o, id, "sequence "+name, table), id, s.owned, "sequence", name, nil, table.node.privileges)
			continue
		}
		unlogged := ""
		if s.Unlogged {
			unlogged = "unlogged "
		}
		o := &Object{Kind: KindSequence, Schema: s.Schema, Name: s.Name, OID: s.OID, Definition: unlogged + "sequence as " + s.Type + " " + options}
		if r.target < 15 {
			unlogged = ""
		}
		o.Create = []string{"create " + unlogged + "sequence " + name + " as " + s.Type + " " + options}
		n := r.add(o, id, "sequence "+name)
		if n == nil || owner == nil {
			r.own(n, id, s.owned, "sequence", name, nil, nil)
			continue
		}
		r.own(n, id, s.owned, "sequence", name, nil, table.node.privileges)
		n.parent = table.node
		column := Quote(table.Schema, table.Name, owner.Name)
		by := &Object{Kind: KindSequenceOwner, Schema: s.Schema, Name: s.Name, Class: inClass, OID: s.OID, Definition: column,
			Create: []string{"alter sequence " + name + " owned by " + column}}
		if owned := r.add(by, ref{}, ""); owned != nil {
			owned.parent = table.node
			owned.needs(n)
			owned.needs(table.node)
		}
	}
}
