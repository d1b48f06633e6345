package schema

import (
	"regexp"
	"strings"
)

// What says how two models differ in one object. The first model is the master's, the second the replica's.
type What string

// The ways to differ.
const (
	MissingOnReplica What = "missing on replica"
	OnlyOnReplica    What = "only on replica"
	Differs          What = "differs"
)

// Difference is one object, or one column of a table, in which two models differ.
type Difference struct {
	Kind   Kind
	Schema string
	Table  string // as in Object; for KindColumn the table
	Name   string
	What   What
	A, B   string // the definitions; empty where there is none
}

// String tells the difference in one line, without the definitions.
func (d Difference) String() string {
	o := Object{Kind: d.Kind, Schema: d.Schema, Table: d.Table, Name: d.Name}
	return o.String() + ": " + string(d.What)
}

// Explain tells the difference in one line, with the definitions from where they begin to differ.
func (d Difference) Explain() string {
	if d.What != Differs {
		return d.String()
	}
	if d.Kind == KindTable { // columns are differences of their own
		d.A, _, _ = strings.Cut(d.A, "\n")
		if d.B, _, _ = strings.Cut(d.B, "\n"); d.A == d.B {
			return d.String() + " in the order of its columns"
		}
	}
	a, b := d.Apart()
	return d.String() + ": master " + a + ", replica " + b
}

// Apart shows the two definitions from shortly before they begin to differ, each on a line.
func (d Difference) Apart() (a, b string) {
	x, y := []rune(strings.Join(strings.Fields(d.A), " ")), []rune(strings.Join(strings.Fields(d.B), " "))
	const shown, before = 120, 30
	from := 0
	for from < len(x) && from < len(y) && x[from] == y[from] {
		from++
	}
	if from = max(from-before, 0); len(x) <= shown && len(y) <= shown {
		from = 0
	}
	cut := func(r []rune) string {
		s := string(r[from:min(len(r), from+shown)])
		if from > 0 {
			s = "…" + s
		}
		if len(r) > from+shown {
			s += "…"
		}
		return s
	}
	return cut(x), cut(y)
}

// Diff returns what has to change in b to make it like a; nil when nothing has to. The models may come from different
// major versions; then the text of views and rules, which each version writes in its own way, is compared without
// qualifiers, parentheses and spaces. A text that PostgreSQL writes differently after it was loaded again is no difference.
// What belongs to a table that is missing is not listed beside it. Owners and privileges are compared as far as
// they are those of roles that exist on both sides.
// A replica identity set for the replication's sake comes as KindReplicaIdentity, for the caller to filter.
func Diff(a, b *Model) []Difference {
	loose := a.Version/10000 != b.Version/10000
	ours, theirs := a.byKey(), b.byKey()
	exists := func(role string) bool { return a.hasRole(role) && b.hasRole(role) }
	var list []Difference
	for _, o := range a.Objects {
		p := theirs[o.key()]
		switch {
		case o.Definition == "":
		case o.privileges != nil && (p == nil || !o.privileges.differs(p.privileges, exists)):
			if o.privileges.missing(p, exists) {
				list = append(list, Difference{o.Kind, "", "", o.Name, MissingOnReplica, o.Definition, ""})
			}
		case p != nil && (sameDefinition(o, p) || loose && looseText(o) == looseText(p)):
		case p != nil && o.Relation != nil && p.Relation != nil:
			list = append(list, diffTable(o, p)...)
		case p != nil:
			list = append(list, Difference{o.Kind, o.Schema, o.Table, o.Name, Differs, o.Definition, p.Definition})
		case !goesWithOther(o, theirs):
			list = append(list, Difference{o.Kind, o.Schema, o.Table, o.Name, MissingOnReplica, o.Definition, ""})
		}
	}
	for _, p := range b.Objects {
		switch {
		case p.Definition == "", ours[p.key()] != nil:
		case p.privileges != nil:
			if p.privileges.missing(nil, exists) {
				list = append(list, Difference{p.Kind, "", "", p.Name, OnlyOnReplica, "", p.Definition})
			}
		case !goesWithOther(p, ours):
			list = append(list, Difference{p.Kind, p.Schema, p.Table, p.Name, OnlyOnReplica, "", p.Definition})
		}
	}
	return list
}

// byKey returns the objects to compare by their identity.
func (m *Model) byKey() map[key]*Object {
	byKey := make(map[key]*Object, len(m.Objects))
	for _, o := range m.Objects {
		if o.Definition != "" {
			byKey[o.key()] = o
		}
	}
	return byKey
}

// goesWithOther reports whether other, which lacks o, also lacks the table that o belongs to, so that o needs no mention.
// A schema that exists in every new database needs none either.
func goesWithOther(o *Object, other map[key]*Object) bool {
	if o.Kind == KindSchema && o.Name == "public" {
		return true
	}
	if o.Table == "" {
		return false
	}
	for _, kind := range []Kind{KindTable, KindView, KindMaterializedView} {
		if other[key{kind, o.Schema, "", o.Table}] != nil {
			return false
		}
	}
	return true
}

// diffTable compares two definitions of a table column by column. Columns are told apart by name here: the two tables
// are on different servers, where attribute numbers mean different things.
func diffTable(a, b *Object) []Difference {
	var list []Difference
	differs := func(name string, what What, a1, b1 string) {
		list = append(list, Difference{KindColumn, a.Schema, a.Name, name, what, a1, b1})
	}
	theirs := map[string]Column{}
	for _, c := range b.Relation.Columns {
		theirs[c.Name] = c
	}
	for _, c := range a.Relation.Columns {
		other, ok := theirs[c.Name]
		switch {
		case !ok:
			differs(c.Name, MissingOnReplica, c.Definition, "")
		case !sameText(c.Definition, other.Definition):
			differs(c.Name, Differs, c.Definition, other.Definition)
		}
		delete(theirs, c.Name)
	}
	for _, c := range b.Relation.Columns {
		if _, left := theirs[c.Name]; left {
			differs(c.Name, OnlyOnReplica, "", c.Definition)
		}
	}
	// What differs besides single columns is the table itself, or the order of its columns.
	if len(list) == 0 || !sameText(a.Relation.head, b.Relation.head) {
		list = append(list, Difference{a.Kind, a.Schema, "", a.Name, Differs, a.Definition, b.Definition})
	}
	return list
}

var (
	needlessQuotes = regexp.MustCompile(`"([a-z_][a-z0-9_]*)"`)
	qualifier      = regexp.MustCompile(`("([^"]|"")+"|\b[a-zA-Z_][\w$]*)\.`)
	noise          = strings.NewReplacer(" ", "", "\n", "", "\t", "", "(", "", ")", "")
)

// looseText returns the part of a definition on which all major versions agree. They quote different keywords.
func looseText(o *Object) string {
	text := needlessQuotes.ReplaceAllString(settled(o.Definition), "$1")
	switch o.Kind {
	case KindSequence:
		return strings.TrimPrefix(text, "unlogged ") // of an unlogged table; before 15 there was none
	case KindView, KindMaterializedView, KindRule:
		return noise.Replace(qualifier.ReplaceAllString(text, ""))
	}
	return text
}
