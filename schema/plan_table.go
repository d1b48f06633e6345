package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// alterTable changes columns and what is set for the table as a whole. Columns have been dropped and renamed before.
func (p *planner) alterTable(x, y *Object) {
	begin := "alter table " + Quote(y.Schema, y.Name)
	alone := "alter table only " + Quote(y.Schema, y.Name)
	before, after := x.Relation.relation, y.Relation.relation
	r := p.renames(x)
	if !r.explain(before.PartitionKey, after.PartitionKey) || (before.Kind == "p") != (after.Kind == "p") {
		p.fail(y, "partition key can not become %q", after.PartitionKey)
	}
	typed := p.isTyped(x)
	if !typed && after.OfType == "" && before.OfType != "" {
		p.do(y, begin+" not of")
	}
	// Generated columns are added when what they are generated from has its type.
	for i := range y.Relation.Columns {
		d := &y.Relation.Columns[i]
		if c := x.Relation.byNum(d.Num); c != nil {
			p.retype(x, y, c, d, typed, r)
		}
	}
	if !typed {
		for i := range y.Relation.Columns {
			d := &y.Relation.Columns[i]
			if x.Relation.byNum(d.Num) == nil {
				p.addColumn(x, y, d)
			}
		}
	}
	for i := range y.Relation.Columns {
		d := &y.Relation.Columns[i]
		if c := x.Relation.byNum(d.Num); c != nil {
			p.alterColumn(x, y, c, d, typed, r)
		}
	}
	if after.OfType != "" && (before.OfType == "" || !r.explain(before.OfType, after.OfType)) {
		p.do(y, begin+" of "+after.OfType)
	}
	if before.AccessMethod != after.AccessMethod && after.AccessMethod != "" {
		if p.target < 15 {
			p.fail(y, "access method can not become %s before PostgreSQL 15", after.AccessMethod)
		}
		p.do(y, begin+" set access method "+Quote(after.AccessMethod))
	}
	if before.Persistence != after.Persistence {
		p.do(y, begin+map[string]string{"u": " set unlogged", "p": " set logged"}[after.Persistence])
	}
	p.do(y, changeOptions(alone, storage(before.Options, before.ToastOptions), storage(after.Options, after.ToastOptions))...)
}

// storage renders storage parameters as name=value.
func storage(options, toast []string) []string {
	var list []string
	for _, option := range slices.Concat(prefixed("", options), prefixed("toast.", toast)) {
		prefix := ""
		option, isToast := strings.CutPrefix(option, "toast.")
		if isToast {
			prefix = "toast."
		}
		name, value, _ := strings.Cut(option, "=")
		list = append(list, prefix+Quote(name)+"="+literal(value))
	}
	return list
}

// linked calls f for each parent of y that was one before, and had what comes from it by itself.
func (p *planner) linked(x *Object, f func(before, after *Object) bool) bool {
	for _, parent := range p.a.parents(x) {
		if p.stays(parent) && p.isParent(parent, x) && !p.isUntied(x) && f(parent, p.to[parent]) {
			return true
		}
	}
	return false
}

// addColumn adds a column. What rows have in it that are there already was kept by the server the models are from, if it
// is the same for all; the default for new rows is an object of its own.
func (p *planner) addColumn(x, y *Object, d *Column) {
	if p.linked(x, func(before, after *Object) bool {
		c := after.Relation.byName(d.Name)
		return c != nil && before.Relation.byNum(c.Num) == nil
	}) {
		p.setColumn(y, &Column{column: &column{}}, d) // of the parent's only the column comes
		return
	}
	begin := "alter table " + Quote(y.Schema, y.Name)
	name, c := Quote(d.Name), d.column
	definition := d.Type + c.collation() + c.generated()
	drop := ""
	if missing := p.missing(y, d.Name); missing != nil && d.Generated == "" {
		value, o := literal(*missing)+"::"+d.Type, p.byDefault(y, d.Name)
		switch {
		case o == nil:
			drop = " alter column " + name + " drop default"
		case isConstant(o.Definition, *missing):
			value, p.made[o] = o.Definition, true
		}
		definition += " default " + value
	}
	if d.NotNull {
		if c.notNull.name != "" && c.notNull.name != y.Name+"_"+d.Name+"_not_null" {
			definition += " constraint " + Quote(c.notNull.name)
		}
		definition += " not null"
		if c.notNull.noInherit && p.target >= 18 {
			definition += " no inherit"
		}
	}
	p.do(y, begin+" add column "+name+" "+definition)
	if drop != "" {
		p.do(y, begin+drop)
	}
	p.setColumn(y, &Column{column: &column{}}, d)
}

// missing returns what rows have in a column that were there before it. Of a partitioned table, its partitions know.
func (p *planner) missing(y *Object, column string) *string {
	if d := y.Relation.byName(column); d == nil || d.Missing != nil || !y.Relation.Partitioned {
		if d == nil {
			return nil
		}
		return d.Missing
	}
	for _, child := range p.b.model.Objects {
		if child.Kind == KindTable && p.b.linkOf[child] != nil && slices.Contains(p.b.parents(child), y) {
			if value := p.missing(child, column); value != nil {
				return value
			}
		}
	}
	return nil
}

// isConstant reports whether an expression is a constant that is written like the value it has.
func isConstant(expression, value string) bool {
	list := tokens(expression)
	switch {
	case strings.Contains(expression, `\`) || len(list) == 0:
		return false
	case expression == value:
		_, err := strconv.ParseFloat(value, 64)
		return err == nil
	case list[0].kind != tokenString || strings.ReplaceAll(list[0].text, "''", "'") != value:
		return false
	}
	return !slices.ContainsFunc(list[1:], func(t token) bool { return t.kind != tokenName && !strings.Contains(":.[]", t.text) })
}

// byDefault returns the default of a column.
func (p *planner) byDefault(y *Object, column string) *Object {
	for _, o := range p.b.users[y] {
		if o.Kind == KindDefault && o.Name == column && p.b.relation(o) == y {
			return o
		}
	}
	return nil
}

func (p *planner) alterColumn(x, y *Object, c, d *Column, typed bool, r *renames) {
	before, after := c.column, d.column
	alter := "alter table " + Quote(y.Schema, y.Name) + " alter column " + Quote(d.Name)
	changed := p.typeChanges(c, d, r)
	switch {
	case before.Generated != "" && after.Generated == "":
		if !p.linked(x, func(px, py *Object) bool {
			e, f := px.Relation.byName(c.Name), py.Relation.byName(d.Name)
			return e != nil && f != nil && e.Generated != "" && f.Generated == ""
		}) {
			p.do(y, alter+" drop expression")
		}
	case before.Generated != after.Generated:
		p.fail(y, "column %s can not become generated", Quote(d.Name))
	case before.Generated != "" && (!r.explain(before.Expression, after.Expression) || p.lostNeeds(x)):
		if r.explain(before.Expression, after.Expression) && p.target < 17 {
			break
		}
		if p.target < 17 {
			p.fail(y, "expression of column %s can not become %q before PostgreSQL 17", Quote(d.Name), after.Expression)
			break
		}
		if r.explain(before.Expression, after.Expression) {
			break
		}
		p.do(y, alter+" set expression as ("+after.Expression+")")
	}
	p.alterNotNull(x, y, c, d, alter)
	if changed && !typed {
		// A new type brings its storage.
		reset := *before
		reset.Storage = ""
		before = &reset
	}
	p.setColumn(y, &Column{column: before}, d)
}

// retype changes the type of a column if it has another, unless a parent's statement does it.
func (p *planner) retype(x, y *Object, c, d *Column, typed bool, r *renames) {
	alter := "alter table " + Quote(y.Schema, y.Name) + " alter column " + Quote(d.Name)
	changed := p.typeChanges(c, d, r)
	if changed && !typed && !p.linked(x, func(px, py *Object) bool {
		e, f := px.Relation.byName(c.Name), py.Relation.byName(d.Name)
		return e != nil && f != nil && e.Num == f.Num && p.typeChanges(e, f, p.renames(px))
	}) {
		p.alterColumnType(x, y, c, d, alter)
	}
	if changed {
		p.setAgain(y, d)
	}
}

func (p *planner) lostNeeds(x *Object) bool {
	for _, n := range p.a.needs[x] {
		if p.to[n] == nil {
			return true
		}
	}
	return false
}

// alterNotNull sets or drops NOT NULL, which goes down to children by itself.
func (p *planner) alterNotNull(x, y *Object, c, d *Column, alter string) {
	before, after := c.column, d.column
	parentSays := func(from, to bool) bool {
		return p.linked(x, func(px, py *Object) bool {
			e, f := px.Relation.byName(c.Name), py.Relation.byName(d.Name)
			return e != nil && f != nil && e.NotNull == from && f.NotNull == to
		})
	}
	switch {
	case before.notNull.notValid && d.NotNull && before.notNull.name == after.notNull.name:
		if !parentSays(false, true) {
			p.do(y, "alter table "+Quote(y.Schema, y.Name)+" validate constraint "+Quote(after.notNull.name))
		}
	case d.NotNull && !c.NotNull:
		if parentSays(false, true) {
			return
		}
		if after.notNull.noInherit && p.target >= 18 {
			p.do(y, "alter table "+Quote(y.Schema, y.Name)+" add constraint "+Quote(after.notNull.name)+" not null "+Quote(d.Name)+" no inherit")
			return
		}
		if name := after.notNull.name; p.target >= 18 && name != "" && name != y.Name+"_"+d.Name+"_not_null" {
			p.do(y, "alter table "+Quote(y.Schema, y.Name)+" add constraint "+Quote(name)+" not null "+Quote(d.Name))
			return
		}
		p.do(y, alter+" set not null")
	case !d.NotNull && c.NotNull:
		if !parentSays(true, false) && !after.notNull.notValid {
			p.do(y, alter+" drop not null")
		}
	case d.NotNull && parentSays(true, false):
		p.do(y, alter+" set not null") // the parent's statement has taken it away
	case d.NotNull && before.notNull.noInherit != after.notNull.noInherit && p.target >= 18:
		word := " inherit"
		if after.notNull.noInherit {
			word = " no inherit"
		}
		p.do(y, "alter table "+Quote(y.Schema, y.Name)+" alter constraint "+Quote(after.notNull.name)+word)
	}
}

// typeChanges reports whether a column gets another type or collation, rather than one with another name.
func (p *planner) typeChanges(c, d *Column, r *renames) bool {
	return !r.explain(c.Type+c.column.collation(), d.Type+d.column.collation()) || c.TypeOID != d.TypeOID
}

// alterColumnType changes a type so that it works on a table with rows where these keep their values, and on an empty one.
func (p *planner) alterColumnType(x, y *Object, c, d *Column, alter string) {
	if o := p.defaultBefore(x, c.Name); o != nil && p.fates[o] != gone && p.fates[o] != again {
		p.do(y, strings.Replace(alter, "alter table ", "alter table only ", 1)+" drop default")
	}
	using := ""
	if c.Generated == "" && !(c.TypeOID != d.TypeOID && c.Type == d.Type) && p.isAssignable(c.Type, d.Type) {
		using = ""
	} else if c.Generated == "" {
		using = " using " + Quote(d.Name) + "::text::" + d.Type
	}
	p.do(y, alter+" type "+d.Type+d.column.collation()+using)
}

// setAgain has the default of a column set again.
func (p *planner) setAgain(y *Object, d *Column) {
	if o := p.byDefault(y, d.Name); o != nil {
		p.again[o] = true
	}
}

func (p *planner) defaultBefore(x *Object, column string) *Object {
	for _, o := range p.a.users[x] {
		if o.Kind == KindDefault && o.Name == column && p.a.relation(o) == x {
			return o
		}
	}
	return nil
}

// assignable are groups of types of which each can be assigned to the others, as far as the server has casts without
// being told to use them.
var assignable = [][]string{
	{"smallint", "integer", "bigint", "numeric", "real", "double precision"},
	{"text", "character varying", "character", "name", `"char"`},
	{"timestamp without time zone", "timestamp with time zone", "date"},
	{"time without time zone", "time with time zone"},
	{"inet", "cidr"},
	{"bit", "bit varying"},
	{"json", "jsonb"},
}

// isAssignable reports whether values of a type become another's without a word.
func (p *planner) isAssignable(from, to string) bool {
	from, to = p.base(from), p.base(to)
	arrays := strings.HasSuffix(from, "[]")
	if arrays != strings.HasSuffix(to, "[]") {
		return false
	}
	from, to = plainType(strings.TrimSuffix(from, "[]")), plainType(strings.TrimSuffix(to, "[]"))
	if from == to {
		return true
	}
	for _, group := range assignable {
		if slices.Contains(group, from) && slices.Contains(group, to) {
			return true
		}
	}
	// Everything can be assigned to a text.
	return !arrays && slices.Contains([]string{"text", "character varying", "character"}, to)
}

// base returns the type under a domain of the second model.
func (p *planner) base(name string) string {
	for range 100 {
		found := false
		for _, c := range []*catalog{p.b, p.a} {
			for _, o := range c.model.Objects {
				if o.domain != nil && Quote(o.Schema, o.Name) == name {
					name, found = o.domain.base, true
				}
			}
		}
		if !found {
			break
		}
	}
	return name
}

// plainType returns a type without its modifiers: timestamp(3) with time zone is timestamp with time zone.
func plainType(s string) string {
	begin, end := strings.IndexByte(s, '('), strings.IndexByte(s, ')')
	if begin < 0 || end < begin {
		return s
	}
	return s[:begin] + s[end+1:]
}

// setColumn sets what is neither type nor constraint.
func (p *planner) setColumn(y *Object, c, d *Column) {
	before, after := c.column, d.column
	alter := "alter table only " + Quote(y.Schema, y.Name) + " alter column " + Quote(d.Name) + " "
	if before.Storage != after.Storage {
		p.do(y, alter+"set storage "+p.storageWord(d))
	}
	if before.Compression != after.Compression {
		word := "default"
		if after.Compression != "" {
			word = compressionWords[after.Compression]
		}
		p.do(y, alter+"set compression "+word)
	}
	if statisticsTarget(before) != statisticsTarget(after) {
		p.do(y, fmt.Sprintf("%sset statistics %d", alter, statisticsTarget(after)))
	}
	quote := func(options []string) []string { return storage(options, nil) }
	p.do(y, changeOptions(strings.TrimSuffix(alter, " "), quote(before.Options), quote(after.Options))...)
}

// storageWord returns the storage of a column; before PostgreSQL 16 there was no word for the type's own.
func (p *planner) storageWord(d *Column) string {
	switch {
	case d.column.Storage != "":
		return storageWords[d.column.Storage]
	case p.target >= 16:
		return "default"
	}
	switch plainType(p.base(d.Type)) {
	case "numeric", "inet", "cidr":
		return "main"
	}
	return "extended"
}

// statisticsTarget is the column's statistics target; -1 is the default.
func statisticsTarget(c *column) int {
	if c.Statistics == nil {
		return -1
	}
	return *c.Statistics
}
