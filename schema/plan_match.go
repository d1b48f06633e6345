package schema

import (
	"fmt"
	"slices"
	"strings"
)

// identity is what an object is recognized by in two models of the same server, whatever it is called.
type identity struct {
	kind Kind
	oid  uint32 // of the object, or of what it belongs to
	part string // what it is there, for what has no OID of its own
}

// catalog is a model with what a plan has to look up in it.
type catalog struct {
	model     *Model
	place     map[*Object]int // in model.Objects
	relations map[string]*Object
	schemas   map[string]*Object
	byOID     map[uint32]*Object // tables
	byID      map[identity]*Object
	ids       map[*Object]identity
	// needs and users are the dependencies, without those that only make an order.
	needs, users map[*Object][]*Object
	// after holds, beside users, what has to be dropped before an object or with it.
	after   map[*Object][]*Object
	dummies map[key]*Object     // the empty views that are made first, by the key of the view
	linkOf  map[*Object]*Object // the object that ties a table to its parents, by table
	attach  map[*Object]*Object // by index, the object that makes it part of another
}

func newCatalog(m *Model) *catalog {
	c := &catalog{model: m, place: map[*Object]int{}, relations: map[string]*Object{}, schemas: map[string]*Object{},
		byOID: map[uint32]*Object{}, byID: map[identity]*Object{}, ids: map[*Object]identity{},
		needs: map[*Object][]*Object{}, users: map[*Object][]*Object{}, after: map[*Object][]*Object{},
		dummies: map[key]*Object{}, linkOf: map[*Object]*Object{}, attach: map[*Object]*Object{}}
	for i, o := range m.Objects {
		c.place[o] = i
		switch o.Kind {
		case KindSchema:
			c.schemas[o.Name] = o
		case KindTable, KindView, KindMaterializedView:
			if o.Definition == "" {
				c.dummies[o.key()] = o
				continue
			}
			c.relations[Quote(o.Schema, o.Name)] = o
			c.byOID[o.OID] = o
		}
	}
	for _, o := range m.Objects {
		if c.isStep(o) {
			continue
		}
		id := c.identify(o)
		c.ids[o], c.byID[id] = id, o
	}
	for _, o := range m.Objects {
		if !c.isStep(o) {
			c.connect(o)
		}
	}
	c.connectPartitions()
	return c
}

// connectPartitions notes that a foreign key to a partitioned table is one to each partition.
func (c *catalog) connectPartitions() {
	for _, child := range c.model.Objects {
		if link := c.linkOf[child]; link == nil || link.Kind != KindPartition {
			continue
		}
		for ancestors := c.parents(child); len(ancestors) > 0; ancestors = c.parents(ancestors[0]) {
			for _, user := range c.users[ancestors[0]] {
				if user.Kind == KindForeignKey && c.relation(user) != ancestors[0] && !slices.Contains(c.users[child], user) {
					c.users[child] = append(c.users[child], user)
				}
			}
		}
	}
}

// isStep reports whether an object is no thing of its own, but something that is done on the way.
func (c *catalog) isStep(o *Object) bool {
	return o.Kind == KindRefresh || c.dummies[o.key()] == o
}

// relation returns the table or view that an object belongs to, or nil.
func (c *catalog) relation(o *Object) *Object {
	if o.Table == "" {
		return nil
	}
	return c.relations[Quote(o.Schema, o.Table)]
}

func (c *catalog) identify(o *Object) identity {
	id := identity{kind: o.Kind, oid: o.OID}
	rel := c.relation(o)
	switch o.Kind {
	case KindDefault:
		id.oid, id.part = rel.OID, rel.columnID(o.Name)
	case KindInheritance, KindPartition, KindReplicaIdentity, KindRowSecurity:
		id.oid = rel.OID
	case KindOperatorClass:
		if o.OID == 0 { // the members of a family
			id.part = "members"
			for _, n := range o.needs {
				if n.Kind == KindOperatorFamily && strings.HasPrefix(o.Name, n.Name) {
					id.oid = n.OID
				}
			}
		}
	case KindPrivileges:
		on := commented(o)
		if on == nil { // it is built in
			id.part = o.Name
			break
		}
		id.oid, id.part = on.OID, string(on.Kind)
	case KindComment:
		on := commented(o)
		if on == nil {
			id.part = o.Name
			break
		}
		word, _, _ := strings.Cut(o.Name, " ")
		id.oid, id.part = on.OID, string(on.Kind)+" "+word
		switch {
		case word == "column":
			id.part += " " + on.columnID(lastName(o.Name))
		case word == "constraint" && (on.domain != nil || on.Relation != nil):
			name := tokens(o.Name)[1].text
			id.part += " " + name
			for _, p := range on.parts {
				if p.name == name {
					id.part = fmt.Sprintf("constraint #%d", p.id)
				}
			}
		}
	}
	return id
}

// commented returns what a comment is on, or privileges.
func commented(o *Object) *Object {
	if len(o.needs) == 0 {
		return nil
	}
	return o.needs[0]
}

// columnID names a column by its number where that is known.
func (o *Object) columnID(name string) string {
	if o.Relation != nil {
		for _, c := range o.Relation.Columns {
			if c.Name == name {
				return fmt.Sprintf("#%d", c.Num)
			}
		}
	}
	for _, p := range o.parts {
		if p.name == name {
			return fmt.Sprintf("#%d", p.id)
		}
	}
	return name
}

// connect notes the dependencies of an object.
func (c *catalog) connect(o *Object) {
	need := func(n *Object) {
		if n != o && !slices.Contains(c.needs[o], n) {
			c.needs[o] = append(c.needs[o], n)
			c.users[n] = append(c.users[n], o)
		}
	}
	for _, n := range o.needs {
		if (o.Kind == KindPartition || o.Kind == KindInheritance) && n.Kind != KindTable {
			continue // the checks that are to be there first
		}
		if o.Kind == KindPrivileges && n.Kind == KindPrivileges {
			continue // the table's, with which the owner of its sequence changes
		}
		need(n)
	}
	if s := c.schemas[o.Schema]; s != nil {
		c.after[s] = append(c.after[s], o)
	}
	switch o.Kind {
	case KindPartition, KindInheritance:
		child := c.relation(o)
		c.linkOf[child] = o
		for _, n := range o.needs {
			if n.Kind == KindTable && n != child {
				c.after[n] = append(c.after[n], child)
			}
		}
	case KindIndexPartition:
		var child, parent *Object
		for _, n := range o.needs {
			switch {
			case n.Kind != KindIndex && n.Kind != KindConstraint:
			case n.Table == o.Table && n.Schema == o.Schema:
				child = n
			default:
				parent = n
			}
		}
		if child != nil && parent != nil {
			c.attach[child] = o
			c.needs[child] = append(c.needs[child], parent)
			c.users[parent] = append(c.users[parent], child)
		}
	}
}

// parents returns the tables that a table inherits from or is a partition of.
func (c *catalog) parents(o *Object) []*Object {
	var list []*Object
	if o.Relation == nil || o.Relation.relation == nil {
		return nil
	}
	for _, oid := range o.Relation.relation.Parents {
		if p := c.byOID[oid]; p != nil {
			list = append(list, p)
		}
	}
	return list
}

// match finds the objects that are in both models, and the names that differ.
func (p *planner) match() {
	p.names = map[renamed]bool{}
	p.labels = map[renamed]bool{}
	p.columns = map[*Object]map[renamed]bool{}
	for x, id := range p.a.ids {
		if y := p.b.byID[id]; y != nil {
			p.to[x], p.from[y] = y, x
		}
	}
	for x, y := range p.to {
		if x.Schema != y.Schema {
			p.names[renamed{x.Schema, y.Schema}] = true
		}
		if x.Kind != KindComment && x.privileges == nil && x.Name != y.Name {
			p.names[renamed{firstName(x.Name), firstName(y.Name)}] = true
		}
		columns := map[renamed]bool{}
		for _, part := range x.parts {
			for _, other := range y.parts {
				if part.id == other.id && part.name != other.name {
					p.labels[renamed{quoted(part.name), quoted(other.name)}] = true
					columns[renamed{part.name, other.name}] = true
				}
			}
		}
		if x.Relation != nil && y.Relation != nil {
			for _, c := range x.Relation.Columns {
				if d := y.Relation.byNum(c.Num); d != nil && c.Name != d.Name {
					columns[renamed{c.Name, d.Name}] = true
				}
			}
		}
		if len(columns) > 0 {
			p.columns[x] = columns
		}
		if from, to := multirange(x), multirange(y); from != "" && from != to {
			p.names[renamed{lastName(from), lastName(to)}] = true
		}
	}
	p.matchRebuilt()
}

// matchRebuilt finds indexes and constraints that have been made again as they were. That is what changing the type of a
// column does to them, also on the replica, and there may be many rows.
func (p *planner) matchRebuilt() {
	type name struct {
		kind     Kind
		relation *Object
		name     string
	}
	same := map[name]*Object{}
	for _, y := range p.b.model.Objects {
		switch y.Kind {
		case KindIndex, KindConstraint, KindCheck, KindForeignKey, KindIndexPartition:
			if rel := p.b.relation(y); p.from[y] == nil && rel != nil {
				same[name{y.Kind, rel, y.Name}] = y
			}
		}
	}
	again := func(x *Object) *Object {
		rel := p.a.relation(x)
		if rel == nil || p.to[x] != nil || p.to[rel] == nil {
			return nil
		}
		return same[name{x.Kind, p.to[rel], x.Name}]
	}
	for _, x := range p.a.model.Objects {
		y, rel := again(x), p.a.relation(x)
		if y == nil {
			continue
		}
		r := p.renames(x)
		if !r.explain(x.Definition, y.Definition) || !r.explain(x.clause, y.clause) || p.columnsWereReplaced(x, y, rel) {
			continue
		}
		if !slices.ContainsFunc(x.needs, func(n *Object) bool {
			return p.to[n] == nil && again(n) == nil || p.columnsWereReplaced(x, y, n)
		}) {
			p.to[x], p.from[y] = y, x
		}
	}
}

// columnsWereReplaced reports whether a definition may speak of another column of a table than before, by the same name.
func (p *planner) columnsWereReplaced(x, y, rel *Object) bool {
	if rel.Relation == nil || p.to[rel] == nil {
		return false
	}
	before, after := tokens(x.Definition+" "+x.clause), tokens(y.Definition+" "+y.clause)
	for _, c := range rel.Relation.Columns {
		name, d := token{tokenName, c.Name}, p.to[rel].Relation.byNum(c.Num)
		if d == nil && slices.Contains(before, name) || d != nil && d.Name != c.Name && slices.Contains(after, name) {
			return true
		}
	}
	return false
}

func (t *Table) byNum(num int16) *Column {
	for i := range t.Columns {
		if t.Columns[i].Num == num {
			return &t.Columns[i]
		}
	}
	return nil
}

func (t *Table) byName(name string) *Column {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return &t.Columns[i]
		}
	}
	return nil
}

// firstName returns the name at the beginning of a function's or operator class's.
func firstName(s string) string {
	if list := tokens(s); len(list) > 0 && list[0].kind == tokenName && (s[0] == '"' || strings.ContainsAny(s, "( ")) {
		return list[0].text
	}
	return s
}

func quoted(label string) string {
	s := literal(label)
	return s[strings.IndexByte(s, '\'')+1 : len(s)-1]
}

// explains returns the renames that can show in the definition of x.
func (p *planner) renames(x *Object) *renames {
	r := &renames{names: p.names, labels: p.labels}
	for _, o := range append([]*Object{x, p.a.relation(x)}, x.needs...) {
		if o == nil {
			continue
		}
		for _, rel := range []*Object{o, p.a.relation(o)} {
			if rel != nil && p.columns[rel] != nil {
				r.columns = append(r.columns, p.columns[rel])
			}
		}
	}
	return r
}

// sameText reports whether the definitions of x and of what it becomes differ in nothing but what has been renamed.
func (p *planner) sameText(x, y *Object) bool {
	return p.renames(x).explain(x.Definition, y.Definition)
}
