package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Steps is what turns one schema into another.
type Steps struct {
	// First holds statements that may be executed, and have to be committed, before the others: labels added to enums,
	// which PostgreSQL lets no one use in the transaction that added them. They harm nobody, can be executed again, and name
	// things as they are before the plan.
	First []Statement
	// Then holds everything else, to be executed in one transaction.
	Then []Statement
}

// Plan returns the statements that turn a database whose schema is a into one whose schema is b. Both models have been
// read from the same server, at two times: objects are recognized by their OIDs, and columns by their numbers, so what was
// renamed is renamed, and what was dropped and made again under its name is dropped and made again. The database that the
// statements are for may be another one, with its own OIDs and with additional indexes, views and the like; nothing of
// its own is dropped, and where it is in the way a statement fails. The session is to be set up as for Create.
//
// Rows stay, but for those of columns that are dropped. Where a table was rewritten on the server of the models, its rows
// are to be deleted before, and copied after the plan: it computes none.
//
// A change that can not be made is an error, which names the object.
func Plan(a, b *Model) (Steps, error) {
	p := &planner{
		a: newCatalog(a), b: newCatalog(b), target: b.target,
		to: map[*Object]*Object{}, from: map[*Object]*Object{}, fates: map[*Object]fate{}, late: map[*Object]bool{},
		alters: map[*Object][]string{}, visited: map[*Object]bool{}, made: map[*Object]bool{},
		again: map[*Object]bool{}, name: map[*Object][2]string{},
	}
	p.match()
	p.decide()
	p.untie()
	p.dropEarly()
	p.dropColumns()
	p.renameAll()
	p.makeAll()
	p.dropLate()
	p.then = append(p.then, p.refreshes...)
	if err := errors.Join(p.errs...); err != nil {
		return Steps{}, fmt.Errorf("plan: %w", err)
	}
	return Steps{First: p.first, Then: p.then}, nil
}

// fate is what becomes of an object of the first model.
type fate int

const (
	keep  fate = iota // at most renamed
	alter             // stays, with another definition
	again             // dropped, and made again
	gone              // dropped
)

// planner makes one plan. Fates and drops are about objects of the first model, everything else about those of the second.
type planner struct {
	a, b     *catalog
	target   int
	to, from map[*Object]*Object // the same object in the other model

	names, labels map[renamed]bool
	columns       map[*Object]map[renamed]bool // by table

	fates  map[*Object]fate
	late   map[*Object]bool     // gone, but still needed while others are altered
	alters map[*Object][]string // what makes of an object what it is in the second model, where that is known already
	again  map[*Object]bool     // defaults to be set again because the type of their column changes

	visited map[*Object]bool
	made    map[*Object]bool
	name    map[*Object][2]string // what objects of the first model are called by now, if not what they were

	first, then, refreshes []Statement
	temporary              int
	taken                  map[string]bool // names that are no temporary ones
	errs                   []error
}

func (p *planner) do(o *Object, statements ...string) {
	for _, sql := range statements {
		p.then = append(p.then, Statement{Object: o, SQL: reloadable(sql)})
	}
}

func (p *planner) doFor(o *Object, statements []roleStatement) {
	for _, s := range statements {
		p.then = append(p.then, Statement{o, s.sql, s.roles})
	}
}

func (p *planner) fail(o *Object, format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf("%s: %s", o, fmt.Sprintf(format, args...)))
}

// canBeMadeAgain says what holds no rows, and can therefore be dropped and made again.
func canBeMadeAgain(o *Object) bool {
	switch o.Kind {
	case KindSchema, KindExtension, KindCollation, KindType, KindSequence, KindTable, KindIdentity, KindInheritance, KindPartition:
		return false
	}
	return true
}

// isAltered says what has real ALTERs for everything that can change in it.
func isAltered(o *Object) bool {
	switch o.Kind {
	case KindSchema, KindExtension, KindCollation, KindType, KindSequence, KindTable, KindIdentity, KindInheritance, KindPartition,
		KindFunction, KindAggregate, KindDefault, KindReplicaIdentity, KindRowSecurity, KindSequenceOwner, KindComment,
		KindTSDictionary, KindTSConfig, KindPrivileges, KindDefaultPrivileges:
		return true
	}
	return false
}

// letsGo says what is altered so that it does not need any longer what is dropped; that has to wait for it.
func letsGo(o *Object) bool {
	switch o.Kind {
	case KindTable, KindType, KindFunction, KindAggregate, KindTSConfig, KindTSDictionary, KindSequence, KindIdentity:
		return true
	}
	return false
}

// decide sets the fates.
func (p *planner) decide() {
	var drop []*Object // to be looked at: what depends on them
	for _, x := range p.a.model.Objects {
		if p.a.isStep(x) {
			continue
		}
		f := p.decideAlone(x)
		p.fates[x] = f
		if f == gone || f == again {
			drop = append(drop, x)
		}
	}
	for len(drop) > 0 {
		x := drop[0]
		drop = drop[1:]
		for _, user := range p.a.users[x] {
			if f := p.fates[user]; f == gone || f == again {
				continue
			}
			switch {
			case p.a.attach[user] != nil && p.a.attach[user].needs != nil && p.isUntied(p.a.relation(user)) && x != p.a.relation(user) &&
				(x.Kind == KindIndex || x.Kind == KindConstraint):
				// An index of a partition that is no partition any longer.
			case p.fates[x] == gone && p.fates[user] == alter && letsGo(user):
				p.late[x] = true
			case canBeMadeAgain(user):
				p.fates[user] = again
				drop = append(drop, user)
			case user.Kind == KindPartition || user.Kind == KindInheritance:
				p.fates[user] = alter
			case p.fates[x] == gone:
				p.late[x] = true
			default:
				p.fail(user, "can not stay while %s is made again", x)
			}
		}
	}
	// What is dropped late keeps what it needs, and a schema what is moved out of it.
	for more := true; more; {
		more = false
		for x := range p.late {
			for _, n := range p.a.needs[x] {
				if p.fates[n] == gone && !p.late[n] {
					p.late[n], more = true, true
				}
				if p.fates[n] == again {
					p.fail(x, "can not be dropped before %s is made again", n)
				}
			}
		}
		for name, s := range p.a.schemas {
			if p.fates[s] != gone || p.late[s] {
				continue
			}
			for _, x := range p.a.after[s] {
				if x.Schema == name && (p.late[x] || p.stays(x)) && x.Table == "" {
					p.late[s], more = true, true
				}
			}
		}
	}
}

// stays reports whether an object of the first model is neither dropped nor made again.
func (p *planner) stays(x *Object) bool {
	f := p.fates[x]
	return p.to[x] != nil && (f == keep || f == alter)
}

// decideAlone returns the fate of an object as far as it does not depend on those of others.
func (p *planner) decideAlone(x *Object) fate {
	y := p.to[x]
	if y == nil {
		if x.Kind == KindNotNull && p.becameValid(x) {
			return keep
		}
		return gone
	}
	if x.Definition == "" && y.Definition == "" {
		return keep // it is the parent's
	}
	if x.privileges != nil {
		if x.privileges.same(y.privileges) {
			return keep
		}
		return alter
	}
	lost := false
	for _, n := range p.a.needs[x] {
		if p.to[n] == nil {
			lost = true
		}
	}
	same := p.sameText(x, y)
	if same && !lost {
		switch x.Kind {
		case KindIndex, KindConstraint, KindCheck, KindForeignKey, KindNotNull, KindStatistics, KindTable, KindComment, KindPartition, KindInheritance:
		default:
			same = p.sameNeeds(x, y)
		}
	}
	switch {
	case x.Kind == KindTable, x.Kind == KindType:
		if x.Definition == y.Definition && !lost && p.sameColumns(x, y) {
			return keep
		}
		return alter
	case x.Kind == KindRule, x.Kind == KindTrigger, x.Kind == KindPolicy:
		if !same || lost || x.Name != y.Name {
			return again
		}
		return keep
	case same && !lost:
		return keep
	case lost && canBeMadeAgain(x) && !letsGo(x):
		return again
	case isAltered(x):
		return alter
	case !lost:
		if statements, ok := p.alterPart(x, y); ok {
			p.alters[y] = statements
			return alter
		}
	}
	return again
}

// sameColumns reports whether nothing has happened to the columns of a table that its definition does not tell.
func (p *planner) sameColumns(x, y *Object) bool {
	if x.Relation == nil || y.Relation == nil {
		return true
	}
	return slices.EqualFunc(x.Relation.Columns, y.Relation.Columns, func(c, d Column) bool {
		return c.Num == d.Num && c.TypeOID == d.TypeOID
	})
}

// sameNeeds reports whether an object depends on the same objects as before.
func (p *planner) sameNeeds(x, y *Object) bool {
	n := 0
	for _, need := range p.a.needs[x] {
		if other := p.to[need]; other != nil && slices.Contains(p.b.needs[y], other) {
			n++
		}
	}
	return n == len(p.a.needs[x]) && n == len(p.b.needs[y])
}

// becameValid reports whether a NOT NULL constraint that was not valid now belongs to its column.
func (p *planner) becameValid(x *Object) bool {
	rel := p.a.relation(x)
	if rel == nil || p.to[rel] == nil || rel.Relation == nil {
		return false
	}
	for _, c := range rel.Relation.Columns {
		d := p.to[rel].Relation.byNum(c.Num)
		if d != nil && c.column.notNull.notValid && c.column.notNull.name == x.Name && d.NotNull {
			return true
		}
	}
	return false
}

// isUntied reports whether a table of the first model is taken from its parent by this plan.
func (p *planner) isUntied(table *Object) bool {
	link := p.a.linkOf[table]
	return link != nil && p.stays(table) && (p.fates[link] == gone || p.decideLink(link))
}

func (p *planner) decideLink(link *Object) bool {
	y := p.to[link]
	return y == nil || link.Kind == KindPartition && !p.sameText(link, y)
}

// current returns the schema and name that an object of the first model has by now.
func (p *planner) current(x *Object) (schema, name string) {
	schema, name = x.Schema, x.Name
	if now, ok := p.name[x]; ok {
		schema, name = now[0], now[1]
	} else if s := p.a.schemas[x.Schema]; s != nil {
		if now, ok := p.name[s]; ok {
			schema = now[1]
		}
	}
	return schema, name
}

// qualified returns the name by which statements call an object: of functions with their arguments, of operator classes
// with their method.
func qualified(kind Kind, schema, name string) string {
	switch kind {
	case KindSchema, KindExtension, KindLanguage, KindAccessMethod, KindForeignDataWrapper, KindServer:
		return Quote(name)
	case KindCast, KindTransform:
		return name
	case KindFunction, KindAggregate, KindOperator, KindOperatorFamily, KindOperatorClass:
		return Quote(schema) + "." + name
	}
	return Quote(schema, name)
}

// word returns what kind of object a statement speaks of.
func word(o *Object) string {
	switch {
	case o.Kind == KindFunction:
		return "routine"
	case o.domain != nil:
		return "domain"
	}
	return string(o.Kind)
}

// temporaryPrefix begins every temporary name.
const temporaryPrefix = "bridge_"

// temporaryName returns a name that nothing has in either model.
func (p *planner) temporaryName() string {
	if p.taken == nil {
		p.taken = map[string]bool{}
		for _, o := range slices.Concat(p.a.model.Objects, p.b.model.Objects) {
			p.taken[o.Name] = true
			if o.Relation != nil {
				for _, c := range o.Relation.Columns {
					p.taken[c.Name] = true
				}
			}
			for _, part := range o.parts {
				p.taken[part.name] = true
			}
		}
	}
	for {
		p.temporary++
		if name := fmt.Sprintf("%s%d", temporaryPrefix, p.temporary); !p.taken[name] {
			return name
		}
	}
}

// multirange returns the name of the multirange type that belongs to a range type.
func multirange(o *Object) string {
	if o.Kind != KindType {
		return ""
	}
	_, name, _ := strings.Cut(o.Definition, "multirange_type_name = ")
	return strings.TrimSuffix(name, ")")
}
