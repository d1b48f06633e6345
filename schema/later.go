package schema

import (
	"slices"
	"strings"
)

// Later is an index that a plan makes and that can as well be made behind it, while rows are written: nobody needs it to
// store or to find them.
type Later struct {
	Index      *Object
	Statements []string // that make it, in order: first the index, then what is set of it and said of it
}

// Later returns the indexes of a plan to the model b that can be made later, by the objects whose statements are to be left out
// then. Those of partitioned tables can not, nor those that are part of one or that their table is clustered on. Where a trigger or
// rule fires when rows are applied, no other command may hold the table for long; so the indexes of such tables are not among them.
func (s Steps) Later(b *Model) map[*Object]*Later {
	var c *catalog
	found := map[*Object]*Later{}
	for _, statement := range s.Then {
		o := statement.Object
		if l := found[o]; l != nil {
			l.Statements = append(l.Statements, statement.SQL)
			continue
		}
		if o.Kind == KindComment && commented(o) != nil {
			if l := found[commented(o)]; l != nil {
				l.Statements = append(l.Statements, statement.SQL)
				found[o] = l
			}
			continue
		}
		if o.Kind != KindIndex || !strings.HasPrefix(statement.SQL, "CREATE INDEX ") {
			continue
		}
		if c == nil {
			c = newCatalog(b)
		}
		if c.canWait(o) {
			found[o] = &Later{o, []string{statement.SQL}}
		}
	}
	return found
}

func (c *catalog) canWait(index *Object) bool {
	table := c.relation(index)
	if table == nil || table.Kind != KindTable || table.Relation.Partitioned || index.Phase != PostData {
		return false
	}
	if slices.ContainsFunc(index.Create, func(sql string) bool { return strings.HasPrefix(sql, "alter table ") }) {
		return false // clustered on
	}
	for _, user := range c.users[index] {
		if user.Kind != KindComment {
			return false
		}
	}
	for list := []*Object{table}; len(list) > 0; list = append(list[1:], c.parents(list[0])...) {
		for _, user := range c.users[list[0]] {
			if user.Firing != "" {
				return false
			}
		}
	}
	return true
}

// Without returns the model without some of its objects and what needs them.
func (m *Model) Without(is func(*Object) bool) *Model {
	gone := map[*Object]bool{}
	less := *m
	less.Objects = slices.Clone(m.Objects)
	for more := true; more; {
		before := len(less.Objects)
		less.Objects = slices.DeleteFunc(less.Objects, func(o *Object) bool {
			gone[o] = is(o) || slices.ContainsFunc(o.needs, func(n *Object) bool { return gone[n] })
			return gone[o]
		})
		more = len(less.Objects) < before
	}
	return &less
}
