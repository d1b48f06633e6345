package schema

import (
	"fmt"
	"slices"
	"strings"
)

// move is an object on the way to its new name. Within a space a name can be taken once.
type move struct {
	o          *Object // of the second model; of the first when it only makes room
	space      string
	from, to   [2]string // schema and name
	rename     func(from [2]string, name string) string
	setSchema  func(from [2]string, schema string) string
	carrier    *move   // what takes it along to another schema
	carries    []*move // what it takes along, whose names have to be free there, too
	aside      bool    // has been given a temporary name
	wasRenamed func(now [2]string)
}

// mover carries out renames in an order in which no name is taken twice, by way of temporary names where they go in circles.
type mover struct {
	p       *planner
	taken   map[string]int
	pending []*move
}

func (m *mover) slot(space string, name [2]string) string {
	return space + "\x00" + name[0] + "\x00" + name[1]
}

func (m *mover) free(v *move, name [2]string) bool { return m.taken[m.slot(v.space, name)] <= 0 }

func (m *mover) step(v *move, now [2]string, sql string) {
	m.p.do(v.o, sql)
	m.place(v, now)
	for _, c := range v.carries {
		m.place(c, [2]string{now[0], c.from[1]})
	}
}

// place notes where v is now.
func (m *mover) place(v *move, now [2]string) {
	m.taken[m.slot(v.space, v.from)]--
	m.taken[m.slot(v.space, now)]++
	v.from = now
	if v.wasRenamed != nil {
		v.wasRenamed(now)
	}
}

// blocked returns what v would take along to its schema under a name that is taken there.
func (m *mover) blocked(v *move) (list []*move) {
	for _, c := range v.carries {
		if v.from[0] != v.to[0] && !m.free(c, [2]string{v.to[0], c.from[1]}) {
			list = append(list, c)
		}
	}
	return list
}

// finish moves v to its name if the way is free.
func (m *mover) finish(v *move) bool {
	switch {
	case v.from == v.to:
		return true
	case !m.free(v, v.to), len(m.blocked(v)) > 0, v.carrier != nil && v.from[0] != v.to[0]:
		return false
	case v.from[0] == v.to[0]:
		m.step(v, v.to, v.rename(v.from, v.to[1]))
	case v.from[1] == v.to[1]:
		m.step(v, v.to, v.setSchema(v.from, v.to[0]))
	default:
		if step := [2]string{v.to[0], v.from[1]}; m.free(v, step) {
			m.step(v, step, v.setSchema(v.from, v.to[0]))
		} else if step := [2]string{v.from[0], v.to[1]}; m.free(v, step) {
			m.step(v, step, v.rename(v.from, v.to[1]))
		} else {
			m.aside(v)
		}
		return m.finish(v)
	}
	return true
}

func (m *mover) aside(v *move) {
	name := m.p.temporaryName()
	m.step(v, [2]string{v.from[0], name}, v.rename(v.from, name))
}

func (m *mover) run() {
	for len(m.pending) > 0 {
		before := len(m.pending)
		m.pending = slices.DeleteFunc(m.pending, m.finish)
		if len(m.pending) < before {
			continue
		}
		v := m.inTheWay()
		if v == nil {
			m.p.fail(m.pending[0].o, "its name is taken")
			return
		}
		v.aside = true
		m.aside(v)
	}
}

// inTheWay returns what gets a temporary name when nothing can go on: something that would be taken along, or else
// something that stands where another one wants to go.
func (m *mover) inTheWay() *move {
	for _, v := range m.pending {
		if m.free(v, v.to) {
			for _, c := range m.blocked(v) {
				if !c.aside {
					return c
				}
			}
		}
	}
	for _, carried := range []bool{false, true} {
		for _, v := range m.pending {
			if !v.aside && (v.carrier != nil) == carried {
				return v
			}
		}
	}
	return nil
}

// space returns within which names of a kind have to differ, or nothing for what is not renamed.
func space(kind Kind) string {
	switch kind {
	case KindSchema:
		return "schema"
	case KindTable, KindView, KindMaterializedView, KindSequence, KindIdentity, KindIndex, KindConstraint, KindType:
		return "relation"
	case KindFunction, KindAggregate:
		return "routine"
	case KindCollation, KindOperator, KindOperatorFamily, KindOperatorClass, KindTSParser, KindTSTemplate, KindTSDictionary,
		KindTSConfig, KindStatistics, KindExtension, KindLanguage, KindConversion, KindForeignDataWrapper, KindServer:
		return string(kind)
	case KindCheck, KindForeignKey, KindNotNull:
		return "constraint"
	}
	return ""
}

// renameAll gives what stays its new name, and what is dropped late one that is in nobody's way.
func (p *planner) renameAll() {
	p.renameObjects(func(kind Kind) bool { return kind == KindSchema })
	for _, y := range p.b.model.Objects {
		if y.Kind == KindSchema {
			p.make(y)
		}
	}
	p.renameObjects(func(kind Kind) bool { return kind != KindSchema })
	for _, x := range p.a.model.Objects {
		y := p.to[x]
		if y == nil || !p.stays(x) {
			continue
		}
		switch {
		case x.Kind == KindTable && !p.isTyped(x):
			p.renameColumns(x, y)
		case len(x.parts) > 0 || len(y.parts) > 0:
			p.renameParts(x, y)
		}
	}
}

func (p *planner) renameObjects(wanted func(Kind) bool) {
	m := &mover{p: p, taken: map[string]int{}}
	wantedNames := map[string]bool{}
	for _, y := range p.b.model.Objects {
		if s := space(y.Kind); s != "" && wanted(y.Kind) && !p.b.isStep(y) {
			wantedNames[m.slot(p.spaceOf(y, s), [2]string{y.Schema, takenName(y)})] = true
		}
	}
	var late []*move
	moves := map[*Object]*move{}
	for _, x := range p.a.model.Objects {
		s := space(x.Kind)
		if s == "" || !wanted(x.Kind) || p.a.isStep(x) || !p.stays(x) && !p.late[x] || x.Definition == "" {
			continue
		}
		o, from := x, [2]string{}
		from[0], from[1] = p.current(x)
		if x.Kind == KindIdentity {
			from[1] = takenName(x)
		}
		v := &move{o: o, from: from, to: from}
		if y := p.to[x]; y != nil {
			v.o, v.to = y, [2]string{y.Schema, takenName(y)}
		}
		v.space = p.spaceOf(v.o, s)
		p.setWords(v, x)
		implied := p.to[x] != nil && p.isImplied(x, v)
		moves[x] = v
		m.taken[m.slot(v.space, v.from)]++
		if p.late[x] && p.to[x] == nil {
			v.wasRenamed = func(now [2]string) { p.name[x] = now }
			if wantedNames[m.slot(v.space, v.from)] {
				late = append(late, v)
			}
			continue
		}
		switch x.Kind {
		case KindSchema, KindTable, KindView, KindMaterializedView:
			v.wasRenamed = func(now [2]string) { p.name[x] = now }
		}
		if !implied {
			m.pending = append(m.pending, v)
		}
	}
	for _, x := range p.a.model.Objects {
		if v, carrier := moves[x], moves[p.carrier(x)]; v != nil && carrier != nil {
			v.carrier, carrier.carries = carrier, append(carrier.carries, v)
		}
	}
	for _, v := range late {
		m.aside(v)
	}
	m.run()
}

// takenName returns the name that o takes in its space.
func takenName(o *Object) string {
	if o.Kind == KindIdentity {
		_, sequence := cutIdentity(o.Definition)
		return lastName(sequence[0])
	}
	return o.Name
}

// carrier returns the table that takes x along when it is moved to another schema: that of an index, or of the column
// that owns a sequence.
func (p *planner) carrier(x *Object) *Object {
	switch x.Kind {
	case KindConstraint, KindIndex, KindIdentity:
		return p.a.relation(x)
	case KindSequence:
		for _, owner := range p.a.users[x] {
			if owner.Kind != KindSequenceOwner || p.fates[owner] != keep {
				continue
			}
			for _, n := range p.a.needs[owner] {
				if n.Kind == KindTable {
					return n
				}
			}
		}
	}
	return nil
}

// spaceOf returns the space in which o's name has to differ: for constraints it is their table.
func (p *planner) spaceOf(o *Object, s string) string {
	if s != "constraint" {
		return s
	}
	return s + " " + Quote(o.Schema, o.Table)
}

// isImplied reports whether x gets its new name by the renaming of something else.
func (p *planner) isImplied(x *Object, v *move) bool {
	y := p.to[x]
	switch x.Kind {
	case KindCheck, KindForeignKey, KindNotNull:
		v.from[0] = v.to[0] // their space is their table
	case KindFunction, KindAggregate, KindOperator, KindOperatorClass, KindOperatorFamily:
		// Types in the signature have been renamed, or are renamed before.
		if firstName(x.Name) == firstName(y.Name) {
			v.from[1] = v.to[1]
			return v.from == v.to
		}
	}
	return v.from == v.to
}

// setWords sets how v is renamed.
func (p *planner) setWords(v *move, x *Object) {
	begin := func(from [2]string) string {
		name := from[1]
		switch x.Kind {
		case KindFunction, KindAggregate:
			if list := tokens(name); len(list) > 0 && !strings.Contains(name, "(") {
				_, arguments, _ := strings.Cut(v.o.Name, "(")
				name = Quote(name) + "(" + arguments
			}
		case KindOperatorFamily, KindOperatorClass:
			if !strings.Contains(name, " using ") {
				_, method, _ := strings.Cut(v.o.Name, " using ")
				name = Quote(name) + " using " + method
			}
		case KindConstraint, KindIndex:
			schema, _ := p.current(p.a.relation(x))
			return "alter index " + Quote(schema, name)
		case KindIdentity:
			return "alter sequence " + Quote(from[0], name)
		case KindSchema:
			return "alter schema " + Quote(name)
		}
		return "alter " + word(x) + " " + qualified(x.Kind, from[0], name)
	}
	v.rename = func(from [2]string, name string) string {
		if x.Kind == KindFunction || x.Kind == KindAggregate || x.Kind == KindOperatorFamily || x.Kind == KindOperatorClass {
			name = firstName(name)
		}
		if space(x.Kind) == "constraint" {
			schema, table := p.current(p.a.relation(x))
			return "alter table " + Quote(schema, table) + " rename constraint " + Quote(from[1]) + " to " + Quote(name)
		}
		return begin(from) + " rename to " + Quote(name)
	}
	v.setSchema = func(from [2]string, schema string) string { return begin(from) + " set schema " + Quote(schema) }
}

// renameColumns renames the columns of a table, which has its new name by now.
func (p *planner) renameColumns(x, y *Object) {
	m := &mover{p: p, taken: map[string]int{}}
	table := Quote(y.Schema, y.Name)
	for _, c := range x.Relation.Columns {
		d := y.Relation.byNum(c.Num)
		if d == nil {
			continue
		}
		m.taken[m.slot("", [2]string{"", c.Name})]++
		if c.Name == d.Name || p.parentRenames(x, c.Name, d.Name) {
			continue
		}
		m.pending = append(m.pending, &move{o: y, from: [2]string{"", c.Name}, to: [2]string{"", d.Name},
			rename: func(from [2]string, name string) string {
				return "alter table " + table + " rename column " + Quote(from[1]) + " to " + Quote(name)
			}})
	}
	m.run()
}

func (p *planner) parentRenames(x *Object, from, to string) bool {
	for _, parent := range p.a.parents(x) {
		if !p.stays(parent) || !p.isParent(parent, x) || p.isUntied(x) {
			continue
		}
		if c := parent.Relation.byName(from); c != nil {
			if d := p.to[parent].Relation.byNum(c.Num); d != nil && d.Name == to {
				return true
			}
		}
	}
	return false
}

// renameParts renames labels of enums, attributes of composite types and constraints of domains.
func (p *planner) renameParts(x, y *Object) {
	m := &mover{p: p, taken: map[string]int{}}
	begin := "alter " + word(y) + " " + Quote(y.Schema, y.Name) + " rename "
	enum := strings.HasPrefix(y.Definition, "enum")
	for _, c := range x.parts {
		if !enum && !hasPart(y, c.id) {
			if y.domain != nil {
				p.do(y, "alter domain "+Quote(y.Schema, y.Name)+" drop constraint "+Quote(c.name))
			} else {
				p.do(y, "alter type "+Quote(y.Schema, y.Name)+" drop attribute "+Quote(c.name)+" cascade")
			}
			continue
		}
		m.taken[m.slot("", [2]string{"", c.name})]++
		for _, d := range y.parts {
			if c.id != d.id || c.name == d.name {
				continue
			}
			m.pending = append(m.pending, &move{o: y, from: [2]string{"", c.name}, to: [2]string{"", d.name},
				rename: func(from [2]string, name string) string {
					switch {
					case enum:
						return begin + "value " + literal(from[1]) + " to " + literal(name)
					case y.domain != nil:
						return begin + "constraint " + Quote(from[1]) + " to " + Quote(name)
					}
					return begin + "attribute " + Quote(from[1]) + " to " + Quote(name) + " cascade"
				}})
		}
	}
	if enum {
		p.addLabels(x, y, m)
	}
	m.run()
}

// addLabels adds the labels that an enum has gained, ahead of the plan, by names that nothing has by then.
func (p *planner) addLabels(x, y *Object, m *mover) {
	before := map[uint32]string{}
	for _, c := range x.parts {
		before[c.id] = c.name
	}
	begin := "alter type " + Quote(x.Schema, x.Name) + " add value if not exists "
	for i, d := range y.parts {
		if _, there := before[d.id]; there {
			continue
		}
		name := d.name
		if !m.free(&move{}, [2]string{"", name}) {
			name = fmt.Sprintf("bridge %d", i)
			m.pending = append(m.pending, &move{o: y, from: [2]string{"", name}, to: [2]string{"", d.name},
				rename: func(from [2]string, name string) string {
					return "alter type " + Quote(y.Schema, y.Name) + " rename value " + literal(from[1]) + " to " + literal(name)
				}})
		}
		m.taken[m.slot("", [2]string{"", name})]++
		where := ""
		switch {
		case i > 0:
			where = " after " + literal(before[y.parts[i-1].id])
		case len(x.parts) > 0:
			where = " before " + literal(x.parts[0].name)
		}
		before[d.id] = name
		p.first = append(p.first, Statement{Object: y, SQL: begin + literal(name) + where})
	}
}
