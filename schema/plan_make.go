package schema

import (
	"slices"
	"strings"
)

// makeAll makes and alters, in the order of the second model.
func (p *planner) makeAll() {
	for _, y := range p.b.model.Objects {
		p.make(y)
	}
}

// isMade reports whether y is made by the plan, being new or dropped before.
func (p *planner) isMade(y *Object) bool {
	x := p.from[y]
	return x == nil || p.fates[x] == again || p.fates[x] == gone
}

// make makes y or alters what it was, after what has to be there before.
func (p *planner) make(y *Object) {
	if p.made[y] {
		return
	}
	p.made[y] = true
	for _, n := range p.b.needs[y] {
		if p.b.place[n] < p.b.place[y] {
			p.make(n)
		}
	}
	rel := p.b.relation(y)
	switch y.Kind {
	case KindSchema:
	case KindTable:
		for _, parent := range p.b.parents(y) {
			if p.from[y] != nil && p.from[parent] != nil {
				p.make(parent) // what is added there comes here by itself
			}
		}
	case KindPartition:
		// A partition that brings its indexes keeps them; for those it lacks, names would be made up.
		for _, user := range p.b.users[rel] {
			switch user.Kind {
			case KindConstraint, KindIndex, KindCheck:
				p.make(user)
			case KindPartition:
				if user != y {
					p.make(user) // of its own partitions
				}
			}
		}
	case KindIndexPartition:
		if link := p.b.linkOf[rel]; link != nil {
			p.make(link)
		}
	}
	if y.Kind == KindRefresh {
		if view := p.b.relation(y); view != nil && (p.isMade(view) || !p.wasPopulated(p.from[view])) {
			p.refreshes = append(p.refreshes, y.statements()...)
		}
		return
	}
	if p.b.isStep(y) {
		if view := p.b.relations[Quote(y.Schema, y.Name)]; view != nil && p.isMade(view) {
			p.do(y, y.Create...)
		}
		return
	}
	x := p.from[y]
	switch {
	case p.isMade(y):
		p.create(y, rel)
	case p.alters[y] != nil:
		p.do(y, p.alters[y]...)
	case p.fates[x] == alter:
		p.alter(x, y)
	case y.Kind == KindDefault && p.again[y]:
		p.create(y, rel)
	}
}

func (p *planner) wasPopulated(x *Object) bool {
	for _, o := range p.a.users[x] {
		if o.Kind == KindRefresh {
			return true
		}
	}
	for _, o := range p.a.model.Objects {
		if o.Kind == KindRefresh && o.Schema == x.Schema && o.Table == x.Name {
			return true
		}
	}
	return false
}

// create makes y, which is new or has been dropped.
func (p *planner) create(y, rel *Object) {
	if y.Kind == KindSequenceOwner {
		p.makeSequenceOwner(y)
		return
	}
	if rel == nil || p.isMade(rel) {
		p.then = append(p.then, y.statements()...)
		return
	}
	table := Quote(y.Schema, y.Table)
	switch y.Kind {
	case KindDefault:
		if rel.Kind != KindView {
			p.do(y, "alter table only "+table+" alter column "+Quote(y.Name)+" set default "+y.Definition)
			return
		}
	case KindCheck:
		if y.Definition == "" && !p.bringsChecks(rel) {
			return // comes with the parent's
		}
		p.do(y, "alter table "+table+" add constraint "+Quote(y.Name)+" "+y.clause)
		return
	case KindInheritance:
		for _, parent := range p.b.parents(rel) {
			p.do(y, "alter table only "+table+" inherit "+Quote(parent.Schema, parent.Name))
		}
		return
	case KindForeignKey:
		if p.becameOwn(y, rel) {
			return
		}
	}
	p.then = append(p.then, y.statements()...)
}

// makeSequenceOwner gives a sequence to a column. The table's owner has to be its owner, and who that is on the replica is known there.
func (p *planner) makeSequenceOwner(y *Object) {
	for _, n := range p.b.needs[y] {
		if n.Kind == KindTable && !p.isMade(n) || n.Kind == KindSequence && !p.isMade(n) {
			table := y.Definition[:strings.LastIndex(y.Definition, "."+Quote(lastName(y.Definition)))]
			p.do(y, "do $bridge$ begin execute 'alter sequence "+strings.ReplaceAll(Quote(y.Schema, y.Name), "'", "''")+" owner to ' || "+
				"(select relowner::regrole from pg_class where oid = "+literal(table)+"::regclass); end $bridge$")
			break
		}
	}
	p.do(y, y.Create...)
}

// bringsChecks reports whether a table gets a parent by this plan, which expects the checks to be there.
func (p *planner) bringsChecks(rel *Object) bool {
	link := p.b.linkOf[rel]
	return link != nil && (p.isMade(link) || p.fates[p.from[link]] == alter)
}

// becameOwn reports whether a foreign key is what a partition keeps of its parent's when it is detached.
func (p *planner) becameOwn(y, rel *Object) bool {
	x := p.from[rel]
	if x == nil || !p.isUntied(x) {
		return false
	}
	for _, parent := range p.a.parents(x) {
		for _, o := range p.a.users[parent] {
			if o.Kind == KindForeignKey && o.Name == y.Name && p.renames(o).explain(o.Definition, y.Definition) {
				return true
			}
		}
	}
	return false
}

// alter makes of x what y is.
func (p *planner) alter(x, y *Object) {
	name := qualified(y.Kind, y.Schema, y.Name)
	rel := p.b.relation(y)
	switch y.Kind {
	case KindExtension, KindSchema, KindCollation:
		if !p.sameText(x, y) {
			if y.Kind != KindExtension {
				p.fail(y, "can not become %q", y.Definition)
				return
			}
			p.do(y, "alter extension "+name+" set "+y.Definition)
		}
	case KindType:
		p.alterType(x, y)
	case KindFunction:
		p.do(y, y.Create...)
	case KindAggregate:
		p.do(y, strings.Replace(y.Create[0], "create aggregate", "create or replace aggregate", 1))
	case KindSequence:
		p.alterSequence(x, y, "sequence")
	case KindTable:
		p.alterTable(x, y)
	case KindDefault:
		p.create(y, rel)
	case KindIdentity:
		p.alterIdentity(x, y)
	case KindSequenceOwner:
		p.makeSequenceOwner(y)
	case KindReplicaIdentity, KindComment:
		p.do(y, y.Create...)
	case KindDefaultPrivileges:
		if x.privileges.owner != y.privileges.owner { // the role has been renamed, on the master
			p.doFor(x, x.privileges.drop())
			p.doFor(y, y.privileges.make())
			return
		}
		p.doFor(y, x.privileges.alterTo(y.privileges))
	case KindPrivileges:
		p.doFor(y, x.privileges.alterTo(y.privileges))
	case KindRowSecurity:
		p.do(y, rowSecurity(Quote(y.Schema, y.Table), x.Definition, y.Definition)...)
	case KindPartition:
		p.do(y, y.Create...) // it has been detached
	case KindInheritance:
		before := p.a.parents(p.a.relation(x))
		for _, parent := range p.b.parents(rel) {
			if p.from[parent] == nil || !slices.Contains(before, p.from[parent]) {
				p.do(y, "alter table only "+Quote(y.Schema, y.Table)+" inherit "+Quote(parent.Schema, parent.Name))
			}
		}
	case KindTSDictionary:
		p.alterDictionary(x, y)
	case KindTSConfig:
		p.alterConfiguration(x, y)
	default:
		p.fail(y, "can not become %q", y.Definition)
	}
}

func rowSecurity(table, from, to string) []string {
	var list []string
	for _, w := range []struct{ state, on, off string }{
		{"enabled", "enable", "disable"}, {"forced", "force", "no force"},
	} {
		switch before, after := strings.Contains(from, w.state), strings.Contains(to, w.state); {
		case after && !before:
			list = append(list, "alter table "+table+" "+w.on+" row level security")
		case before && !after:
			list = append(list, "alter table "+table+" "+w.off+" row level security")
		}
	}
	return list
}
