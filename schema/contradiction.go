package schema

import "fmt"

// Contradiction says what of a model can be the state of no server: it was put together from what transactions saw that did not see
// each other. A plan may well lead there, but what it makes is something else, and the plan that leads on from there fails.
//
// Names are given once. A table has the columns of those that it inherits from, or is a partition of, with their types; what a
// column says of its type is what that is called; an index is one of its table, by the name that has, and of columns that are there.
func (m *Model) Contradiction() error {
	tables, types := map[uint32]*Table{}, map[uint32]*Object{}
	relations := map[[2]string]*Table{}
	for _, o := range m.Objects {
		switch {
		case o.Relation != nil:
			tables[o.OID], relations[[2]string{o.Schema, o.Name}] = o.Relation, o.Relation
		case o.Kind == KindType:
			types[o.OID] = o
		}
	}
	names := map[key]*Object{}
	for _, o := range m.Objects {
		for _, k := range takenBy(o) {
			if other := names[k]; other != nil {
				return fmt.Errorf("%s and %s can not both be there", other, o)
			}
			names[k] = o
		}
		if o.keyColumns == nil {
			continue
		}
		if o.Kind == KindIndex && !o.isOn(o.Schema, o.Table) {
			return fmt.Errorf("%s is defined on another table: %s", o, o.Definition)
		}
		t := relations[[2]string{o.Schema, o.Table}]
		for _, num := range o.keyColumns {
			if t != nil && num > 0 && t.byNum(num) == nil {
				return fmt.Errorf("%s has column %d, which the table has not", o, num)
			}
		}
	}
	for _, t := range m.Tables() {
		for _, c := range t.Columns {
			if o := types[c.TypeOID]; o != nil && !o.isCalled(c.Type) {
				return fmt.Errorf("column %s of table %s has type %s, which is %s", Quote(c.Name), Quote(t.Schema, t.Name), c.Type, o)
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

// isCalled reports whether a text that the server wrote names o, perhaps with modifiers behind it.
func (o *Object) isCalled(text string) bool {
	list := tokens(text)
	return len(list) >= 3 && list[0] == (token{tokenName, o.Schema}) && list[1].text == "." && list[2] == (token{tokenName, o.Name}) &&
		(len(list) == 3 || list[3].text == "(")
}

// takenBy returns the names that nothing else can have while o has them.
func takenBy(o *Object) []key {
	relation := key{KindTable, o.Schema, "", o.Name}
	constraint := key{KindConstraint, o.Schema, o.Table, o.Name}
	switch o.Kind {
	case KindTable, KindView, KindMaterializedView:
		if o.Definition != "" { // not only what is made first
			return []key{relation}
		}
	case KindSequence, KindIndex:
		return []key{relation}
	case KindConstraint:
		return []key{relation, constraint}
	case KindCheck, KindForeignKey:
		return []key{constraint}
	case KindType:
		return []key{{KindType, o.Schema, "", o.Name}}
	}
	return nil
}

// isOn reports whether the definition of an index names this table.
func (o *Object) isOn(schema, table string) bool {
	list := tokens(o.Definition)
	for i := range list {
		if list[i] != (token{tokenName, "ON"}) {
			continue
		}
		if i+1 < len(list) && list[i+1] == (token{tokenName, "ONLY"}) {
			i++
		}
		if i+3 < len(list) && list[i+1] == (token{tokenName, schema}) && list[i+2].text == "." && list[i+3] == (token{tokenName, table}) {
			return true
		}
	}
	return false
}
