package schema

import (
	"fmt"
	"strings"
)

// Contradiction says what of a model can be the state of no server: it was put together from what transactions saw that did not see
// each other. A plan may well lead there, but what it makes is something else, and the plan that leads on from there fails.
//
// A table has the columns of those that it inherits from, or is a partition of, with their types; and what a column says of its
// type is what that is called.
func (m *Model) Contradiction() error {
	tables, types := map[uint32]*Table{}, map[uint32]string{}
	for _, o := range m.Objects {
		switch {
		case o.Relation != nil:
			tables[o.OID] = o.Relation
		case o.Kind == KindType:
			types[o.OID] = Quote(o.Schema, o.Name)
		}
	}
	for _, t := range m.Tables() {
		for _, c := range t.Columns {
			// A type may have modifiers behind its name.
			if name := types[c.TypeOID]; name != "" && !strings.HasPrefix(c.Type, name) {
				return fmt.Errorf("column %s of table %s has type %s, which is %s", Quote(c.Name), Quote(t.Schema, t.Name), c.Type, name)
			}
		}
		for _, oid := range t.relation.Parents {
			parent := tables[oid]
			if parent == nil {
				continue // is not taken
			}
			for i := range parent.Columns {
				c := &parent.Columns[i]
				d := t.byName(c.Name)
				switch {
				case d == nil:
					return fmt.Errorf("table %s lacks column %s of %s", Quote(t.Schema, t.Name), Quote(c.Name), Quote(parent.Schema, parent.Name))
				case d.Type != c.Type || d.Collation != c.Collation:
					return fmt.Errorf("column %s of table %s has type %s, that of %s %s",
						Quote(c.Name), Quote(t.Schema, t.Name), d.Type+d.column.collation(), Quote(parent.Schema, parent.Name), c.Type+c.column.collation())
				}
			}
			if t.Partition && len(t.Columns) != len(parent.Columns) {
				return fmt.Errorf("partition %s has columns that %s has not", Quote(t.Schema, t.Name), Quote(parent.Schema, parent.Name))
			}
		}
	}
	return nil
}
