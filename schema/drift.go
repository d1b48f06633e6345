package schema

import (
	"slices"
	"strings"
)

// Drift is a difference that somebody has made by hand on a replica.
type Drift struct {
	Difference
	// Stops says that it is not safe to apply rows: where they go, how they are found or what becomes of them is not as
	// it was, and no error need tell. What else differs does no harm to them, or makes applying fail.
	Stops bool
}

// FindDrift compares what a replica has with the model that it should have. What it has beside that is its own and no
// drift, be it objects, columns or values of an enum.
func FindDrift(want, there *Model) []Drift {
	ours, theirs := want.byKey(), there.byKey()
	var list []Drift
	for _, d := range Diff(want, there) {
		o, p := ours[key{d.Kind, d.Schema, d.Table, d.Name}], theirs[key{d.Kind, d.Schema, d.Table, d.Name}]
		if d.Kind == KindColumn {
			of := key{KindTable, d.Schema, "", d.Table}
			o, p = ours[of], theirs[of]
		}
		if d.What == OnlyOnReplica || d.Kind == KindReplicaIdentity || d.What == Differs && moreLabels(o, p) {
			continue
		}
		list = append(list, Drift{d, stops(d, o, p, ours, theirs)})
	}
	return list
}

// Lasting returns the drift in objects, and columns, of which a later model says the same as the one that was found to
// differ.
func Lasting(drift []Drift, later *Model) []Drift {
	objects := later.byKey()
	says := func(d Drift) bool {
		if d.Kind == KindColumn {
			table := objects[key{KindTable, d.Schema, "", d.Table}]
			return table != nil && slices.ContainsFunc(table.Relation.Columns, func(c Column) bool { return c.Name == d.Name && c.Definition == d.A })
		}
		o := objects[key{d.Kind, d.Schema, d.Table, d.Name}]
		return o != nil && o.Definition == d.A
	}
	return slices.DeleteFunc(slices.Clone(drift), func(d Drift) bool { return !says(d) })
}

// moreLabels reports whether an enum has all labels that it should have, in their order. A replica gets new ones before
// the model that has them.
func moreLabels(o, p *Object) bool {
	if !strings.HasPrefix(o.Definition, "enum ") || !strings.HasPrefix(p.Definition, "enum ") {
		return false
	}
	left := o.parts
	for _, label := range p.parts {
		if len(left) > 0 && left[0].name == label.name {
			left = left[1:]
		}
	}
	return len(left) == 0
}

// stops decides Drift.Stops for an object as it should be, o, and as it is; p is nil where it is not there.
func stops(d Difference, o, p *Object, ours, theirs map[key]*Object) bool {
	switch d.Kind {
	case KindTable:
		return p == nil || p.Relation.Unlogged && !o.Relation.Unlogged || p.Relation.Partitioned != o.Relation.Partitioned
	case KindColumn:
		return d.What != Differs || !sameValues(o.Relation.column(d.Name), p.Relation.column(d.Name))
	case KindPartition, KindInheritance:
		return true // who reads the parent misses the rows
	case KindConstraint, KindIndex:
		if o.Phase != Keys {
			return false
		}
		// A primary key may have another name.
		table := key{KindTable, d.Schema, "", d.Table}
		return !strings.HasPrefix(o.Definition, "PRIMARY KEY") || !sameKey(ours[table], theirs[table])
	case KindTrigger, KindRule:
		return p != nil && p.Firing != "" && o.Firing == "" // what it did on the master comes in the blocks
	case KindType:
		return p != nil && (o.domain == nil || p.domain == nil || o.domain.base != p.domain.base)
	}
	return false
}

func sameKey(o, p *Object) bool {
	return o != nil && p != nil &&
		slices.Equal(slices.Sorted(slices.Values(o.Relation.PrimaryKey)), slices.Sorted(slices.Values(p.Relation.PrimaryKey)))
}

// wider are the types that take every value of another and keep it.
var wider = map[string][]string{
	"smallint":          {"integer", "bigint", "numeric"},
	"integer":           {"bigint", "numeric"},
	"bigint":            {"numeric"},
	"text":              {"character varying"},
	"character varying": {"text"},
}

// sameValues reports whether columns take the same values and keep them.
func sameValues(a, b *Column) bool {
	return (a.Type == b.Type || slices.Contains(wider[a.Type], b.Type)) && a.Generated == b.Generated && settled(a.column.generated()) == settled(b.column.generated())
}

func (t *Table) column(name string) *Column {
	return &t.Columns[slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })]
}
