package schema

import (
	"slices"
	"strings"
)

// untie takes off comments, and tables from their parents, before anything is dropped.
func (p *planner) untie() {
	for _, x := range p.a.model.Objects {
		switch x.Kind {
		case KindComment:
			if on := commented(x); p.fates[x] == gone && on != nil && p.stays(on) && !p.columnIsGone(on, x.Name) {
				p.do(x, "comment on "+x.Name+" is null")
			}
		case KindPartition:
			child := p.a.relation(x)
			if p.fates[x] != keep && p.stays(child) {
				for _, parent := range p.a.parents(child) {
					p.do(x, "alter table "+Quote(parent.Schema, parent.Name)+" detach partition "+Quote(x.Schema, x.Table))
				}
			}
		case KindInheritance:
			child := p.a.relation(x)
			if p.fates[x] == keep || !p.stays(child) {
				continue
			}
			for _, parent := range p.a.parents(child) {
				if !p.isParent(parent, child) {
					p.do(x, "alter table only "+Quote(x.Schema, x.Table)+" no inherit "+Quote(parent.Schema, parent.Name))
				}
			}
		case KindSequenceOwner:
			if p.fates[x] != keep && p.sequenceStays(x) {
				p.do(x, "alter sequence "+Quote(x.Schema, x.Name)+" owned by none")
			}
		}
	}
}

// isParent reports whether a parent in the first model is one in the second.
func (p *planner) isParent(parent, child *Object) bool {
	return p.to[parent] != nil && p.to[child] != nil && slices.Contains(p.b.parents(p.to[child]), p.to[parent])
}

func (p *planner) sequenceStays(owner *Object) bool {
	for _, n := range p.a.needs[owner] {
		if n.Kind == KindSequence {
			return p.stays(n)
		}
	}
	return false
}

// columnIsGone reports whether an address, like "column a.b.c", is of a column that the second model lacks.
func (p *planner) columnIsGone(on *Object, address string) bool {
	if !strings.HasPrefix(address, "column ") {
		return false
	}
	id, y := on.columnID(lastName(address)), p.to[on]
	if !strings.HasPrefix(id, "#") {
		return false
	}
	for _, part := range y.parts {
		if y.columnID(part.name) == id {
			return false
		}
	}
	if y.Relation != nil {
		for _, c := range y.Relation.Columns {
			if y.columnID(c.Name) == id {
				return false
			}
		}
	}
	return true
}

// dropEarly drops what nothing needs that stays.
func (p *planner) dropEarly() {
	for _, x := range slices.Backward(p.a.model.Objects) {
		if !p.goesAlong(x) {
			p.drop(x, false)
		}
	}
}

// dropLate drops what was needed while others were altered.
func (p *planner) dropLate() {
	for _, x := range slices.Backward(p.a.model.Objects) {
		p.drop(x, true)
	}
}

// isDropped reports whether x is to be dropped, early or late.
func (p *planner) isDropped(x *Object, late bool) bool {
	f := p.fates[x]
	return (f == gone || f == again) && p.late[x] == late && !p.a.isStep(x)
}

// goesAlong reports whether x can be left to the dropping of its table or column.
func (p *planner) goesAlong(x *Object) bool {
	rel := p.a.relation(x)
	switch {
	case rel == nil:
		return false
	case p.isDropped(rel, false):
		return true
	}
	return (x.Kind == KindDefault || x.Kind == KindIdentity) && p.stays(rel) && p.columnIsGone(rel, "column "+Quote(rel.Schema, rel.Name, x.Name))
}

// drop drops x after all that uses it. What goes with its table or its parent needs no statement.
func (p *planner) drop(x *Object, late bool) {
	if !p.isDropped(x, late) || p.visited[x] {
		return
	}
	if link := p.a.linkOf[x]; link != nil && link.Kind == KindPartition {
		// By itself it could not be dropped if the partitioned table refers to itself.
		for _, parent := range p.a.parents(x) {
			p.drop(parent, late)
		}
		if p.visited[x] {
			return
		}
	}
	p.visited[x] = true
	if dummy := p.a.dummies[x.key()]; dummy != nil {
		p.do(x, strings.Replace(dummy.Create[0], "create view", "create or replace view", 1))
	}
	along := x.Kind == KindSequence && p.ownerIsGone(x)
	for _, user := range slices.Backward(p.a.users[x]) {
		if !along || !p.goesAlong(user) {
			p.drop(user, late)
		}
	}
	for _, user := range slices.Backward(p.a.after[x]) {
		if x.Kind != KindSchema || user.Table == "" {
			p.drop(user, late)
		}
	}
	if rel := p.a.relation(x); rel == nil || !p.visited[rel] {
		p.do(x, p.dropStatement(x)...)
	}
}

// dropStatement returns what drops x, or nothing where something else does.
func (p *planner) dropStatement(x *Object) []string {
	schema, name := p.current(x)
	rel := p.a.relation(x)
	table := Quote(x.Schema, x.Table)
	switch x.Kind {
	case KindSchema, KindExtension, KindCollation, KindType, KindFunction, KindAggregate, KindOperator, KindCast, KindTSParser,
		KindTSTemplate, KindTSDictionary, KindTSConfig, KindLanguage, KindTransform, KindConversion, KindAccessMethod,
		KindForeignDataWrapper, KindServer, KindView, KindMaterializedView, KindOperatorFamily, KindStatistics:
		return []string{"drop " + word(x) + " " + qualified(x.Kind, schema, name)}
	case KindOperatorClass:
		if x.OID == 0 {
			return dropMembers(x)
		}
		return []string{"drop operator class " + qualified(x.Kind, schema, name)}
	case KindTable:
		if link := p.a.linkOf[x]; link != nil && link.Kind == KindPartition {
			for _, parent := range p.a.parents(x) {
				if p.visited[parent] {
					return nil
				}
			}
		}
		return []string{"drop table " + Quote(schema, name)}
	case KindSequence:
		if p.ownerIsGone(x) {
			return nil
		}
		return []string{"drop sequence " + Quote(schema, name)}
	case KindDefault:
		if rel.Kind == KindView {
			return []string{"alter view " + table + " alter column " + Quote(x.Name) + " drop default"}
		}
		return []string{"alter table only " + table + " alter column " + Quote(x.Name) + " drop default"}
	case KindIdentity:
		return []string{"alter table " + only(rel) + table + " alter column " + Quote(x.Name) + " drop identity"}
	case KindCheck, KindForeignKey, KindConstraint, KindNotNull:
		if x.Definition == "" {
			return nil // the parent's
		}
		if p.a.attach[x] != nil && p.parentIndexIsGone(x) {
			return nil
		}
		return []string{"alter table " + table + " drop constraint " + Quote(x.Name)}
	case KindIndex:
		if p.a.attach[x] != nil && p.parentIndexIsGone(x) {
			return nil
		}
		return []string{"drop index " + Quote(x.Schema, x.Name)}
	case KindRule, KindPolicy:
		return []string{"drop " + word(x) + " " + Quote(x.Name) + " on " + table}
	case KindTrigger:
		if strings.HasPrefix(x.Definition, asPartitioned) {
			if parent := p.parentTrigger(x); p.fates[x] == gone && p.stays(rel) && parent != nil {
				return []string{switchFiring(table, firingState(parent), "trigger "+Quote(x.Name))}
			}
			return nil
		}
		return []string{"drop trigger " + Quote(x.Name) + " on " + table}
	case KindReplicaIdentity:
		if p.fates[x] == gone && p.stays(rel) {
			return []string{"alter table only " + table + " replica identity default"}
		}
		return nil
	case KindRowSecurity:
		if p.fates[x] == gone && p.stays(rel) {
			return rowSecurity(table, x.Definition, "")
		}
		return nil
	case KindDefaultPrivileges:
		p.doFor(x, x.privileges.drop())
		return nil
	case KindPrivileges:
		if commented(x) == nil { // on what is built in, and stays
			p.doFor(x, x.privileges.drop())
		}
		return nil // else see untie
	case KindComment, KindIndexPartition, KindPartition, KindInheritance, KindSequenceOwner:
		return nil // see untie
	}
	p.fail(x, "can not be dropped")
	return nil
}

const asPartitioned = "as the partitioned table's"

// parentTrigger returns the trigger with which x came to a partition, if that stays.
func (p *planner) parentTrigger(x *Object) *Object {
	for _, n := range p.a.needs[x] {
		if n.Kind == KindTrigger && p.stays(n) && !p.isUntied(p.a.relation(x)) {
			return n
		}
	}
	return nil
}

func only(table *Object) string {
	if table.Relation != nil && table.Relation.Partitioned {
		return ""
	}
	return "only "
}

// ownerIsGone reports whether a sequence goes with the column that owns it.
func (p *planner) ownerIsGone(sequence *Object) bool {
	for _, owner := range p.a.users[sequence] {
		if owner.Kind != KindSequenceOwner {
			continue
		}
		for _, n := range p.a.needs[owner] {
			if n.Kind != KindTable {
				continue
			}
			if p.isDropped(n, false) {
				return true
			}
			if p.stays(n) && p.columnIsGone(n, "column "+owner.Definition) {
				return true
			}
		}
	}
	return false
}

func (p *planner) parentIndexIsGone(x *Object) bool {
	for _, n := range p.a.needs[x] {
		if (n.Kind == KindIndex || n.Kind == KindConstraint) && n.Table != x.Table && (p.fates[n] == gone || p.fates[n] == again) {
			return !p.isUntied(p.a.relation(x))
		}
	}
	return false
}

// dropMembers drops the loose members of an operator family.
func dropMembers(x *Object) []string {
	name := strings.TrimSuffix(x.Name, " members")
	var list []string
	for _, s := range x.Create {
		_, members, _ := strings.Cut(s, " add ")
		for member := range splitMembers(members) {
			list = append(list, memberName(member))
		}
	}
	return []string{"alter operator family " + Quote(x.Schema) + "." + name + " drop " + strings.Join(list, ", ")}
}

// splitMembers yields the members of a list with commas between.
func splitMembers(list string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		depth, start := 0, 0
		for i, c := range list {
			switch {
			case c == '(':
				depth++
			case c == ')':
				depth--
			case c == ',' && depth == 0:
				if !yield(strings.TrimSpace(list[start:i])) {
					return
				}
				start = i + 1
			}
		}
		yield(strings.TrimSpace(list[start:]))
	}
}

// memberName returns what a member is dropped by: its kind, number and types.
func memberName(member string) string {
	words := strings.SplitN(member, " ", 3)
	open := strings.IndexByte(member, '(')
	end := strings.IndexByte(member[open:], ')') + open
	return words[0] + " " + words[1] + " " + member[open:end+1]
}

// dropColumns drops columns, which is done under the old names.
func (p *planner) dropColumns() {
	for _, x := range p.a.model.Objects {
		if x.Kind != KindTable || !p.stays(x) || p.isTyped(x) {
			continue
		}
		table, y := Quote(x.Schema, x.Name), p.to[x]
		list := slices.Clone(x.Relation.Columns)
		// What is generated from other columns goes first.
		slices.SortStableFunc(list, func(a, b Column) int { return strings.Compare(b.Generated, a.Generated) })
		for _, c := range list {
			if y.Relation.byNum(c.Num) != nil {
				continue
			}
			if p.parentDrops(x, c.Name) {
				if !x.Relation.Partition {
					p.do(x, "alter table "+table+" drop column if exists "+Quote(c.Name))
				}
				continue
			}
			word := ""
			if p.childKeeps(x, c.Name) {
				word = "only "
			}
			p.do(x, "alter table "+word+table+" drop column "+Quote(c.Name))
		}
	}
}

// parentDrops reports whether a column is dropped from a table that x inherits from.
func (p *planner) parentDrops(x *Object, column string) bool {
	for _, parent := range p.a.parents(x) {
		if !p.stays(parent) || !p.isParent(parent, x) || p.isUntied(x) {
			continue
		}
		if c := parent.Relation.byName(column); c != nil && p.to[parent].Relation.byNum(c.Num) == nil {
			return true
		}
	}
	return false
}

// childKeeps reports whether a table that inherits from x keeps a column that x loses.
func (p *planner) childKeeps(x *Object, column string) bool {
	for child := range p.a.linkOf {
		if !slices.Contains(p.a.parents(child), x) || !p.stays(child) || child.Relation.Partition {
			continue
		}
		c := child.Relation.byName(column)
		if c != nil && p.to[child].Relation.byNum(c.Num) != nil || p.childKeeps(child, column) {
			return true
		}
	}
	return false
}

// isTyped reports whether a table has its columns from a composite type, before and after.
func (p *planner) isTyped(x *Object) bool {
	return x.Relation.relation.OfType != "" && p.to[x].Relation.relation.OfType != ""
}
