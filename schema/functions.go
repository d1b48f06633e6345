package schema

import (
	"strconv"
	"strings"
)

type functionRow struct {
	OID        uint32 `json:",string"`
	Schema     string
	Name       string
	Arguments  string // their types
	Word       string
	Signature  string // as COMMENT ON wants it
	Definition string
	owned
}

var functionSource = source{class: inProc, part: "functions", key: "p.oid", sql: `
select p.oid, n.nspname as schema, p.proname as name, pg_catalog.oidvectortypes(p.proargtypes) as arguments,
	case p.prokind when 'p' then 'procedure ' else 'function ' end as word,
	pg_catalog.pg_get_function_identity_arguments(p.oid) as signature,
	pg_catalog.pg_get_functiondef(p.oid) as definition, pg_catalog.pg_get_userbyid(p.proowner) as owner, p.proacl::text[] as acl
from pg_catalog.pg_proc p
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
where p.prokind in ('f', 'p', 'w')
	and not exists (
		select
		from pg_catalog.pg_depend d
		where d.classid = 1255
			and d.objid = p.oid
			and d.deptype = 'i') -- the constructors of a range type
	and ` + userSchema}

func (r *reader) addFunctions() {
	for _, f := range r.in.Functions {
		id := ref{inProc, f.OID}
		text := strings.TrimSpace(f.Definition)
		o := &Object{Kind: KindFunction, Schema: f.Schema, Name: Quote(f.Name) + "(" + f.Arguments + ")", OID: f.OID,
			Definition: text, Create: []string{text}}
		n := r.add(o, id, f.Word+Quote(f.Schema, f.Name)+"("+f.Signature+")")
		r.own(n, id, f.owned, "routine", Quote(f.Schema, f.Name)+"("+f.Arguments+")", nil, nil)
	}
}

type aggregateRow struct {
	OID          uint32 `json:",string"`
	Schema       string
	Name         string
	Arguments    string
	Signature    string
	InputTypes   string `json:"input_types"`
	Kind         string
	Parallel     string
	Transition   string
	Type         string
	Space        int
	Final        string
	FinalExtra   bool   `json:"final_extra"`
	FinalModify  string `json:"final_modify"`
	Combine      string
	Serial       string
	Deserial     string
	Moving       string
	MovingInv    string `json:"moving_inv"`
	MovingType   string `json:"moving_type"`
	MovingSpace  int    `json:"moving_space"`
	MovingFinal  string `json:"moving_final"`
	MovingExtra  bool   `json:"moving_extra"`
	MovingModify string `json:"moving_modify"`
	Initial      *string
	MovingInit   *string `json:"moving_init"`
	SortOperator string  `json:"sort_operator"`
	owned
}

var aggregateSource = source{class: inProc, part: "aggregates", key: "p.oid", sql: `
select p.oid, n.nspname as schema, p.proname as name, pg_catalog.pg_get_function_arguments(p.oid) as arguments,
	pg_catalog.pg_get_function_identity_arguments(p.oid) as signature, a.aggkind::text as kind, p.proparallel::text as parallel,
	a.aggtransfn::text as transition, pg_catalog.format_type(a.aggtranstype, null) as type, a.aggtransspace as space,
	a.aggfinalfn::text as final, a.aggfinalextra as final_extra, a.aggfinalmodify::text as final_modify,
	a.aggcombinefn::text as combine, a.aggserialfn::text as serial, a.aggdeserialfn::text as deserial,
	a.aggmtransfn::text as moving, a.aggminvtransfn::text as moving_inv,
	coalesce(pg_catalog.format_type(nullif(a.aggmtranstype, 0), null), '') as moving_type, a.aggmtransspace as moving_space,
	a.aggmfinalfn::text as moving_final, a.aggmfinalextra as moving_extra, a.aggmfinalmodify::text as moving_modify,
	a.agginitval as initial, a.aggminitval as moving_init,
	coalesce(pg_catalog.quote_ident(onsp.nspname) || '.' || o.oprname, '') as sort_operator,
	pg_catalog.oidvectortypes(p.proargtypes) as input_types, pg_catalog.pg_get_userbyid(p.proowner) as owner, p.proacl::text[] as acl
from pg_catalog.pg_aggregate a
join pg_catalog.pg_proc p on p.oid = a.aggfnoid
join pg_catalog.pg_namespace n on n.oid = p.pronamespace
left join pg_catalog.pg_operator o on o.oid = a.aggsortop
left join pg_catalog.pg_namespace onsp on onsp.oid = o.oprnamespace
where ` + userSchema}

func (r *reader) addAggregates() {
	parallel := map[string]string{"s": "safe", "r": "restricted"}
	modify := map[string]string{"r": "read_only", "s": "shareable", "w": "read_write"}
	for _, a := range r.in.Aggregates {
		arguments := func(s string) string {
			if s == "" {
				return "(*)"
			}
			return "(" + s + ")"
		}
		var list options
		list.add("sfunc", a.Transition)
		list.add("stype", a.Type)
		list.addSize("sspace", a.Space)
		list.addInitial("initcond", a.Initial)
		list.add("finalfunc", a.Final)
		list.addFlag("finalfunc_extra", a.FinalExtra)
		list.add("combinefunc", a.Combine)
		list.add("serialfunc", a.Serial)
		list.add("deserialfunc", a.Deserial)
		list.add("msfunc", a.Moving)
		list.add("minvfunc", a.MovingInv)
		list.add("mstype", a.MovingType)
		list.addSize("msspace", a.MovingSpace)
		list.addInitial("minitcond", a.MovingInit)
		list.add("mfinalfunc", a.MovingFinal)
		list.addFlag("mfinalfunc_extra", a.MovingExtra)
		usual := "r"
		if a.Kind != "n" {
			usual = "w"
		}
		if a.FinalModify != usual {
			list.add("finalfunc_modify", modify[a.FinalModify])
		}
		if a.MovingModify != usual && a.Moving != "-" {
			list.add("mfinalfunc_modify", modify[a.MovingModify])
		}
		if a.SortOperator != "" {
			list.add("sortop", "operator("+a.SortOperator+")")
		}
		list.add("parallel", parallel[a.Parallel])
		list.addFlag("hypothetical", a.Kind == "h")
		definition := arguments(a.Arguments) + " (" + strings.Join(list, ", ") + ")"
		o := &Object{Kind: KindAggregate, Schema: a.Schema, Name: Quote(a.Name) + arguments(a.Signature), OID: a.OID, Definition: definition,
			Create: []string{"create aggregate " + Quote(a.Schema, a.Name) + definition}}
		id := ref{inProc, a.OID}
		n := r.add(o, id, "aggregate "+Quote(a.Schema, a.Name)+arguments(a.Signature))
		r.own(n, id, a.owned, "routine", Quote(a.Schema, a.Name)+"("+a.InputTypes+")", nil, nil)
	}
}

// options is a list of name = value, as in CREATE AGGREGATE and CREATE OPERATOR. What is not set is not added.
type options []string

// add adds a value that is SQL; "" and "-", which regproc shows for 0, are not set.
func (l *options) add(name, value string) {
	if value != "" && value != "-" {
		*l = append(*l, name+" = "+value)
	}
}

func (l *options) addSize(name string, size int) {
	if size != 0 {
		*l = append(*l, name+" = "+strconv.Itoa(size))
	}
}

func (l *options) addFlag(name string, set bool) {
	if set {
		*l = append(*l, name)
	}
}

func (l *options) addInitial(name string, value *string) {
	if value != nil {
		*l = append(*l, name+" = "+literal(*value))
	}
}
