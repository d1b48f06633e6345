package schema

import (
	"context"
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

// readRules reads the rules that are not the making of a view.
func (r *reader) readRules(ctx context.Context) error {
	rows, err := query[struct {
		OID        uint32
		Table      uint32 `db:"table_oid"`
		Name       string
		Definition string
		State      string
	}](ctx, r, `
select w.oid, w.ev_class as table_oid, w.rulename as name, pg_catalog.pg_get_ruledef(w.oid) as definition, w.ev_enabled::text as state
from pg_catalog.pg_rewrite w
join pg_catalog.pg_class c on c.oid = w.ev_class
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where w.rulename <> '_RETURN'
	and `+userSchema)
	if err != nil {
		return err
	}
	for _, w := range rows {
		t := r.relations[w.Table]
		if t == nil {
			continue
		}
		text, name := strings.TrimSuffix(w.Definition, ";"), Quote(w.Name)
		o := &Object{Kind: KindRule, Name: w.Name, OID: w.OID, Phase: PostData, Definition: text, Create: []string{text}}
		firing(o, w.State, "alter table "+t.quoted()+" disable rule "+name)
		r.addPart(o, ref{inRewrite, w.OID}, "rule "+name+" on "+t.quoted(), t)
	}
	return nil
}

func (r *reader) readTriggers(ctx context.Context) error {
	rows, err := query[struct {
		OID         uint32
		Table       uint32 `db:"table_oid"`
		Name        string
		Definition  string
		State       string
		Parent      uint32
		ParentState string
		Constraint  uint32 `db:"constraint_oid"`
	}](ctx, r, `
select t.oid, t.tgrelid as table_oid, t.tgname as name, pg_catalog.pg_get_triggerdef(t.oid) as definition, t.tgenabled::text as state,
	t.tgparentid as parent, coalesce(p.tgenabled::text, '') as parent_state, t.tgconstraint as constraint_oid
from pg_catalog.pg_trigger t
join pg_catalog.pg_class c on c.oid = t.tgrelid
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
join pg_catalog.pg_proc f on f.oid = t.tgfoid
join pg_catalog.pg_namespace fn on fn.oid = f.pronamespace
left join pg_catalog.pg_trigger p on p.oid = t.tgparentid
where fn.nspname <> 'bridge'
	and (not t.tgisinternal or t.tgparentid <> 0 and not coalesce(p.tgisinternal, true))
	and `+userSchema+`
order by t.oid`)
	if err != nil {
		return err
	}
	for _, g := range rows {
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
		case (g.State == "D") != (g.ParentState == "D"):
			// A partition's copy of its parent's trigger is worth mentioning when it is switched otherwise.
			o.Definition, o.Create = "as the partitioned table's, enabled", []string{strings.Replace(disable, " disable ", " enable ", 1)}
			if g.State == "D" {
				o.Definition, o.Create = "as the partitioned table's, disabled", []string{disable}
			}
			if n := r.addPart(o, id, "trigger "+name+" on "+t.quoted(), t); n != nil {
				n.needs(r.graph.resolve(ref{inTrigger, g.Parent}))
			}
		}
	}
	return nil
}
