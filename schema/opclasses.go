package schema

import (
	"fmt"
	"strings"
)

type familyRow struct {
	OID                  uint32 `json:",string"`
	Schema, Name, Method string
	owned
}

var familySource = source{class: inOpfamily, part: "families", key: "f.oid", sql: `
select f.oid, n.nspname as schema, f.opfname as name, am.amname as method, pg_catalog.pg_get_userbyid(f.opfowner) as owner
from pg_catalog.pg_opfamily f
join pg_catalog.pg_namespace n on n.oid = f.opfnamespace
join pg_catalog.pg_am am on am.oid = f.opfmethod
where ` + userSchema, more: []part{operatorMembers(inOpfamily)}, parts: operatorParts(inOpfamily)}

type classRow struct {
	OID                  uint32 `json:",string"`
	Schema, Name, Method string
	Default              bool
	Type                 string
	Family               string
	Storage              string
	owned
}

var classSource = source{class: inOpclass, part: "classes", key: "c.oid", sql: `
select c.oid, n.nspname as schema, c.opcname as name, am.amname as method, c.opcdefault as default, pg_catalog.format_type(c.opcintype, null) as type,
	pg_catalog.quote_ident(fn.nspname) || '.' || pg_catalog.quote_ident(f.opfname) as family,
	coalesce(pg_catalog.format_type(nullif(c.opckeytype, 0), null), '') as storage, pg_catalog.pg_get_userbyid(c.opcowner) as owner
from pg_catalog.pg_opclass c
join pg_catalog.pg_namespace n on n.oid = c.opcnamespace
join pg_catalog.pg_am am on am.oid = c.opcmethod
join pg_catalog.pg_opfamily f on f.oid = c.opcfamily
join pg_catalog.pg_namespace fn on fn.oid = f.opfnamespace
where ` + userSchema, more: []part{operatorMembers(inOpclass)}, parts: operatorParts(inOpclass)}

// memberRow is an operator or a function of an operator class or family.
type memberRow struct {
	Class       uint32 `json:",string"` // of the owner
	Owner       uint32 `json:",string"`
	MemberClass uint32 `json:"member_class,string"`
	Member      uint32 `json:",string"`
	Number      int16
	Name        string
	Types       string
	SortFamily  string `json:"sort_family"`
}

// operatorMembers returns the query for the members of an operator class or family.
func operatorMembers(class uint32) part {
	return part{"members", fmt.Sprintf(`
	select d.refclassid as class, d.refobjid as owner, d.classid as member_class, d.objid as member, m.amopstrategy as number,
		m.amopopr::regoperator::text as name, '' as types,
		pg_catalog.quote_ident(fn.nspname) || '.' || pg_catalog.quote_ident(f.opfname) as sort_family
	from pg_catalog.pg_depend d
	join pg_catalog.pg_amop m on m.oid = d.objid
	left join pg_catalog.pg_opfamily f on f.oid = m.amopsortfamily
	left join pg_catalog.pg_namespace fn on fn.oid = f.opfnamespace
	where d.classid = 2602
		and d.refclassid = %[1]d
		and d.refobjid = h.oid
		and d.objid >= 16384
	union all
	select d.refclassid, d.refobjid, d.classid, d.objid, m.amprocnum, m.amproc::regprocedure::text,
		' (' || pg_catalog.format_type(m.amproclefttype, null) || ', ' || pg_catalog.format_type(m.amprocrighttype, null) || ')', null
	from pg_catalog.pg_depend d
	join pg_catalog.pg_amproc m on m.oid = d.objid
	where d.classid = 2603
		and d.refclassid = %[1]d
		and d.refobjid = h.oid
		and d.objid >= 16384
	order by 1, 2, 3, 5, 6, 7`, class)}
}

func operatorParts(class uint32) string {
	return fmt.Sprintf(`
		union all
		select d.classid, d.objid
		from pg_catalog.pg_depend d
		where d.refclassid = %d
			and d.refobjid = h.oid
			and d.classid in (2602, 2603)`, class)
}

// addOperatorClasses adds operator classes, and families with the operators and functions that belong to no class.
func (r *reader) addOperatorClasses() {
	members, loose := r.operatorMembers()
	for _, f := range r.in.Families {
		name, id := Quote(f.Schema, f.Name)+" using "+Quote(f.Method), ref{inOpfamily, f.OID}
		o := &Object{Kind: KindOperatorFamily, Schema: f.Schema, Name: Quote(f.Name) + " using " + Quote(f.Method), OID: f.OID,
			Definition: "operator family", Create: []string{"create operator family " + name}}
		family := r.add(o, id, "operator family "+name)
		if family == nil {
			continue
		}
		r.own(family, id, f.owned, "", "", nil, nil)
		if list := strings.Join(members[id], ", "); list != "" {
			// Loose members may need classes of the family, or operators that need something else; so they come apart.
			o := &Object{Kind: KindOperatorClass, Schema: f.Schema, Name: Quote(f.Name) + " using " + Quote(f.Method) + " members", Definition: list,
				Create: []string{"alter operator family " + name + " add " + list}}
			n := r.graph.add(o, ref{})
			n.parent = family
			n.needs(family)
			for _, member := range loose[id] {
				r.graph.byRef[member] = n
			}
		}
	}
	for _, c := range r.in.Classes {
		name, id := Quote(c.Schema, c.Name), ref{inOpclass, c.OID}
		parts := members[id]
		if c.Storage != "" {
			parts = append([]string{"storage " + c.Storage}, parts...)
		}
		if len(parts) == 0 {
			parts = []string{"storage " + c.Type}
		}
		byDefault := ""
		if c.Default {
			byDefault = "default "
		}
		definition := byDefault + "for type " + c.Type + " using " + Quote(c.Method) + " family " + c.Family + " as " + strings.Join(parts, ", ")
		o := &Object{Kind: KindOperatorClass, Schema: c.Schema, Name: Quote(c.Name) + " using " + Quote(c.Method), OID: c.OID,
			Definition: definition, Create: []string{"create operator class " + name + " " + definition}}
		r.own(r.add(o, id, "operator class "+name+" using "+Quote(c.Method)), id, c.owned, "", "", nil, nil)
	}
}

// operatorMembers returns the operators and functions of operator classes and families, as their statements list them,
// and the catalog entries of those that only the family holds.
func (r *reader) operatorMembers() (members map[ref][]string, loose map[ref][]ref) {
	members, loose = map[ref][]string{}, map[ref][]ref{}
	for _, m := range r.in.Members {
		owner, word := ref{m.Class, m.Owner}, "operator"
		if m.MemberClass == inAmproc {
			word = "function"
		}
		text := fmt.Sprintf("%s %d%s %s", word, m.Number, m.Types, m.Name)
		if m.SortFamily != "" {
			text += " for order by " + m.SortFamily
		}
		members[owner] = append(members[owner], text)
		if m.Class == inOpfamily {
			loose[owner] = append(loose[owner], ref{m.MemberClass, m.Member})
		}
	}
	return members, loose
}
