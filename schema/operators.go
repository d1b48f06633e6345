package schema

import (
	"strings"
)

type operatorRow struct {
	OID        uint32 `json:",string"`
	Schema     string
	Name       string
	Function   string
	Left       string
	Right      string
	Commutator string
	Negator    string
	Restrict   string
	Join       string
	Hashes     bool
	Merges     bool
	owned
}

var operatorSource = source{class: inOperator, part: "operators", key: "o.oid", sql: `
select o.oid, n.nspname as schema, o.oprname as name, o.oprcode::text as function,
	coalesce(pg_catalog.format_type(nullif(o.oprleft, 0), null), '') as left,
	coalesce(pg_catalog.format_type(nullif(o.oprright, 0), null), '') as right,
	coalesce(pg_catalog.quote_ident(cn.nspname) || '.' || c.oprname, '') as commutator,
	coalesce(pg_catalog.quote_ident(nn.nspname) || '.' || ne.oprname, '') as negator,
	o.oprrest::text as restrict, o.oprjoin::text as join, o.oprcanhash as hashes, o.oprcanmerge as merges,
	pg_catalog.pg_get_userbyid(o.oprowner) as owner
from pg_catalog.pg_operator o
join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
left join pg_catalog.pg_operator c on c.oid = o.oprcom
left join pg_catalog.pg_namespace cn on cn.oid = c.oprnamespace
left join pg_catalog.pg_operator ne on ne.oid = o.oprnegate
left join pg_catalog.pg_namespace nn on nn.oid = ne.oprnamespace
where o.oprcode <> 0
	and ` + userSchema}

func (r *reader) addOperators() {
	for _, op := range r.in.Operators {
		var list options
		list.add("function", op.Function)
		list.add("leftarg", op.Left)
		list.add("rightarg", op.Right)
		if op.Commutator != "" {
			list.add("commutator", "operator("+op.Commutator+")")
		}
		if op.Negator != "" {
			list.add("negator", "operator("+op.Negator+")")
		}
		list.add("restrict", op.Restrict)
		list.add("join", op.Join)
		list.addFlag("hashes", op.Hashes)
		list.addFlag("merges", op.Merges)
		none := func(s string) string {
			if s == "" {
				return "none"
			}
			return s
		}
		name := Quote(op.Schema) + "." + op.Name
		arguments := "(" + none(op.Left) + ", " + none(op.Right) + ")"
		definition := "(" + strings.Join(list, ", ") + ")"
		o := &Object{Kind: KindOperator, Schema: op.Schema, Name: op.Name + arguments, OID: op.OID, Definition: definition,
			Create: []string{"create operator " + name + " " + definition}}
		id := ref{inOperator, op.OID}
		r.own(r.add(o, id, "operator "+name+" "+arguments), id, op.owned, "", "", nil, nil)
	}
}

type castRow struct {
	OID      uint32 `json:",string"`
	Source   string
	Target   string
	Function string
	Context  string
	Method   string
}

var castSource = source{class: inCast, part: "casts", key: "c.oid", sql: `
select c.oid, pg_catalog.format_type(c.castsource, null) as source, pg_catalog.format_type(c.casttarget, null) as target,
	c.castfunc::regprocedure::text as function, c.castcontext::text as context, c.castmethod::text as method
from pg_catalog.pg_cast c
where c.oid >= 16384
	and not exists (
		select
		from pg_catalog.pg_depend d
		where d.classid = 2605
			and d.objid = c.oid
			and d.deptype = 'i') -- those between a range type and its multirange`}

func (r *reader) addCasts() {
	for _, c := range r.in.Casts {
		name := "(" + c.Source + " as " + c.Target + ")"
		definition := map[string]string{"f": "with function " + c.Function, "i": "with inout", "b": "without function"}[c.Method] +
			map[string]string{"a": " as assignment", "i": " as implicit"}[c.Context]
		o := &Object{Kind: KindCast, Name: name, OID: c.OID, Definition: definition, Create: []string{"create cast " + name + " " + definition}}
		r.add(o, ref{inCast, c.OID}, "cast "+name)
	}
}
