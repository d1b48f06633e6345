package schema

import (
	"cmp"
	"slices"
	"strings"
)

// firing is pg_trigger.tgenabled and pg_rewrite.ev_enabled in words.
//
// Rows are applied on a replica with session_replication_role = replica, so that nothing fires twice. What is ENABLE
// ALWAYS or ENABLE REPLICA on the master would fire then, and is therefore made as what fires for users only; the
// master's state is kept aside, and not compared.
func firing(o *Object, state, disable string) {
	switch state {
	case "D":
		o.Definition += "\ndisabled"
		o.Create = append(o.Create, disable)
	case "A":
		o.Aside = "enable always"
	case "R":
		o.Aside = "enable replica"
	}
}

type ruleRow struct {
	OID        uint32 `json:",string"`
	Table      uint32 `json:"table_oid,string"`
	Name       string
	Definition string
	State      string
}

var ruleSource = source{class: inRewrite, part: "rules", key: "w.oid", table: "w.ev_class", sql: `
select w.oid, w.ev_class as table_oid, w.rulename as name, pg_catalog.pg_get_ruledef(w.oid) as definition, w.ev_enabled::text as state
from pg_catalog.pg_rewrite w
join pg_catalog.pg_class c on c.oid = w.ev_class
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where w.rulename <> '_RETURN'
	and ` + userSchema}

// addRules reads the rules that are not the making of a view.
func (r *reader) addRules() {
	for _, w := range r.in.Rules {
		t := r.relations[w.Table]
		if t == nil {
			continue
		}
		text, name := strings.TrimSuffix(w.Definition, ";"), Quote(w.Name)
		o := &Object{Kind: KindRule, Name: w.Name, OID: w.OID, Phase: PostData, Definition: text, Create: []string{text}}
		firing(o, w.State, "alter table "+t.quoted()+" disable rule "+name)
		r.addPart(o, ref{inRewrite, w.OID}, "rule "+name+" on "+t.quoted(), t)
	}
}

type triggerRow struct {
	OID        uint32 `json:",string"`
	Table      uint32 `json:"table_oid,string"`
	Name       string
	Definition string
	State      string
	Parent     uint32 `json:",string"`
	Constraint uint32 `json:"constraint_oid,string"`
}

var triggerSource = source{class: inTrigger, part: "triggers", key: "t.oid", table: "t.tgrelid", sql: `
select t.oid, t.tgrelid as table_oid, t.tgname as name, pg_catalog.pg_get_triggerdef(t.oid) as definition, t.tgenabled::text as state,
	t.tgconstraint as constraint_oid
from pg_catalog.pg_trigger t
join pg_catalog.pg_class c on c.oid = t.tgrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_proc f on f.oid = t.tgfoid
join pg_catalog.pg_namespace fn on fn.oid = f.pronamespace
where fn.nspname <> 'bridge'
	and not t.tgisinternal
	and t.tgparentid = 0
	and ` + userSchema, parts: `
		union all
		select 2606, t.tgconstraint
		from pg_catalog.pg_trigger t
		where t.oid = h.oid`}

// copiedTriggers reads a partition's copies of its parent's triggers that are switched otherwise. They are the table's, for
// no event tells of their making and dropping.
var copiedTriggers = part{"triggers", `
	select t.oid, t.tgrelid as table_oid, t.tgname as name, t.tgenabled::text as state, t.tgparentid as parent
	from pg_catalog.pg_trigger t
	join pg_catalog.pg_trigger p on p.oid = t.tgparentid
	join pg_catalog.pg_proc f on f.oid = t.tgfoid
	join pg_catalog.pg_namespace fn on fn.oid = f.pronamespace
	where t.tgrelid = h.oid
		and fn.nspname <> 'bridge'
		and not p.tgisinternal
		and (t.tgenabled = 'D') <> (p.tgenabled = 'D')
	order by t.oid`}

func (r *reader) addTriggers() {
	// The copies need those that they are copies of.
	slices.SortStableFunc(r.in.Triggers, func(a, b triggerRow) int { return cmp.Compare(min(a.Parent, 1), min(b.Parent, 1)) })
	for _, g := range r.in.Triggers {
		t := r.relations[g.Table]
		if t == nil {
			continue
		}
		name, id := Quote(g.Name), ref{inTrigger, g.OID}
		o := &Object{Kind: KindTrigger, Name: g.Name, OID: g.OID, Phase: PostData}
		disable := "alter table " + t.quoted() + " disable trigger " + name
		switch {
		case g.Parent == 0:
			o.Definition, o.Create = g.Definition, []string{g.Definition}
			firing(o, g.State, disable)
			n := r.addPart(o, id, "trigger "+name+" on "+t.quoted(), t)
			if n != nil && g.Constraint != 0 {
				r.graph.byRef[ref{inConstraint, g.Constraint}] = n
			}
		default:
			o.Definition, o.Create = "as the partitioned table's, enabled", []string{strings.Replace(disable, " disable ", " enable ", 1)}
			if g.State == "D" {
				o.Definition, o.Create = "as the partitioned table's, disabled", []string{disable}
			}
			if n := r.addPart(o, id, "trigger "+name+" on "+t.quoted(), t); n != nil {
				n.needs(r.graph.resolve(ref{inTrigger, g.Parent}))
			}
		}
	}
}
