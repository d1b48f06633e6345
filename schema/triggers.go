package schema

import (
	"cmp"
	"slices"
	"strings"
)

// The values of pg_trigger.tgenabled and pg_rewrite.ev_enabled, in words and as ALTER TABLE says it.
//
// Rows are applied on a replica with session_replication_role = replica, so that nothing fires twice. What is ENABLE
// ALWAYS or ENABLE REPLICA would fire then: whoever applies has to see to it.
var (
	firingStates = map[string]string{"O": "enabled", "D": "disabled", "A": "enabled always", "R": "enabled replica"}
	firingVerbs  = map[string]string{"enabled": "enable", "disabled": "disable", "enabled always": "enable always", "enabled replica": "enable replica"}
)

// setFiring takes in the state of a trigger or rule; what is the word for it, with its name.
func (o *Object) setFiring(state string, t *relation, what string) {
	o.Firing = map[string]string{"A": "always", "R": "replica"}[state]
	if word := firingStates[state]; word != "enabled" {
		o.Definition += "\n" + word
		o.Create = append(o.Create, switchFiring(t.quoted(), word, what))
	}
}

// firingState is the word that setFiring has added.
func firingState(o *Object) string {
	for word := range firingVerbs {
		if strings.HasSuffix(o.Definition, "\n"+word) {
			return word
		}
	}
	return "enabled"
}

func switchFiring(table, state, what string) string {
	return "alter table " + table + " " + firingVerbs[state] + " " + what
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
		o.setFiring(w.State, t, "rule "+name)
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
		and t.tgenabled <> p.tgenabled
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
		switch {
		case g.Parent == 0:
			o.Definition, o.Create = g.Definition, []string{g.Definition}
			o.setFiring(g.State, t, "trigger "+name)
			n := r.addPart(o, id, "trigger "+name+" on "+t.quoted(), t)
			if n != nil && g.Constraint != 0 {
				r.graph.byRef[ref{inConstraint, g.Constraint}] = n
			}
		default:
			word := firingStates[g.State]
			o.Firing = map[string]string{"A": "always", "R": "replica"}[g.State]
			o.Definition, o.Create = asPartitioned+", "+word, []string{switchFiring(t.quoted(), word, "trigger "+name)}
			if n := r.addPart(o, id, "trigger "+name+" on "+t.quoted(), t); n != nil {
				n.needs(r.graph.resolve(ref{inTrigger, g.Parent}))
			}
		}
	}
}
