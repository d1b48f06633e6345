package schema

import (
	"slices"
	"strings"
)

// makeAll makes and alters, in the order of the second model.
func (p *planner) makeAll() {
	for _, y := range p.b.model.Objects {
		p.make(y)
	}
}

// isMade reports whether y is made by the plan, being new or dropped before.
func (p *planner) isMade(y *Object) bool {
	x := p.from[y]
	return x == nil || p.fates[x] == again || p.fates[x] == gone
}

// make makes y or alters what it was, after what has to be there before.
func (p *planner) make(y *Object) {
	if p.made[y] {
		return
	}
	p.made[y] = true
	for _, n := range p.b.needs[y] {
		if p.b.place[n] < p.b.place[y] {
			p.make(n)
		}
	}
	rel := p.b.relation(y)
	switch y.Kind {
	case KindSchema:
	case KindTable:
		for _, parent := range p.b.parents(y) {
			if p.from[y] != nil && p.from[parent] != nil {
				p.make(parent) // what is added there comes here by itself
			}
		}
	case KindPartition:
		// A partition that brings its indexes keeps them; for those it lacks, names would be made up.
		for _, user := range p.b.users[rel] {
			switch user.Kind {
			case KindConstraint, KindIndex, KindCheck:
				p.make(user)
			case KindPartition:
				if user != y {
					p.make(user) // of its own partitions
				}
			}
		}
	case KindIndexPartition:
		if link := p.b.linkOf[rel]; link != nil {
			p.make(link)
		}
	}
	if y.Kind == KindRefresh {
		if view := p.b.relation(y); view != nil && (p.isMade(view) || !p.wasPopulated(p.from[view])) {
			for _, sql := range y.Create {
				p.refreshes = append(p.refreshes, Statement{y, sql})
			}
		}
		return
	}
	if p.b.isStep(y) {
		if view := p.b.relations[Quote(y.Schema, y.Name)]; view != nil && p.isMade(view) {
			p.do(y, y.Create...)
		}
		return
	}
	x := p.from[y]
	switch {
	case p.isMade(y):
		p.create(y, rel)
	case p.alters[y] != nil:
		p.do(y, p.alters[y]...)
	case p.fates[x] == alter:
		p.alter(x, y)
	case y.Kind == KindDefault && p.again[y]:
		p.create(y, rel)
	}
}

func (p *planner) wasPopulated(x *Object) bool {
	for _, o := range p.a.users[x] {
		if o.Kind == KindRefresh {
			return true
		}
	}
	for _, o := range p.a.model.Objects {
		if o.Kind == KindRefresh && o.Schema == x.Schema && o.Table == x.Name {
			return true
		}
	}
	return false
}

// create makes y, which is new or has been dropped.
func (p *planner) create(y, rel *Object) {
	if rel == nil || p.isMade(rel) {
		p.do(y, y.Create...)
		return
	}
	table := Quote(y.Schema, y.Table)
	switch y.Kind {
	case KindDefault:
		if rel.Kind != KindView {
			p.do(y, "alter table only "+table+" alter column "+Quote(y.Name)+" set default "+y.Definition)
			return
		}
	case KindCheck:
		if y.Definition == "" && !p.bringsChecks(rel) {
			return // comes with the parent's
		}
		p.do(y, "alter table "+table+" add constraint "+Quote(y.Name)+" "+y.clause)
		return
	case KindInheritance:
		for _, parent := range p.b.parents(rel) {
			p.do(y, "alter table only "+table+" inherit "+Quote(parent.Schema, parent.Name))
		}
		return
	case KindForeignKey:
		if p.becameOwn(y, rel) {
			return
		}
	}
	p.do(y, y.Create...)
}

// bringsChecks reports whether a table gets a parent by this plan, which expects the checks to be there.
func (p *planner) bringsChecks(rel *Object) bool {
	link := p.b.linkOf[rel]
	return link != nil && (p.isMade(link) || p.fates[p.from[link]] == alter)
}

// becameOwn reports whether a foreign key is what a partition keeps of its parent's when it is detached.
func (p *planner) becameOwn(y, rel *Object) bool {
	x := p.from[rel]
	if x == nil || !p.isUntied(x) {
		return false
	}
	for _, parent := range p.a.parents(x) {
		for _, o := range p.a.users[parent] {
			if o.Kind == KindForeignKey && o.Name == y.Name && p.renames(o).explain(o.Definition, y.Definition) {
				return true
			}
		}
	}
	return false
}

// alter makes of x what y is.
func (p *planner) alter(x, y *Object) {
	name := qualified(y.Kind, y.Schema, y.Name)
	rel := p.b.relation(y)
	switch y.Kind {
	case KindExtension, KindSchema, KindCollation:
		if !p.sameText(x, y) {
			if y.Kind != KindExtension {
				p.fail(y, "can not become %q", y.Definition)
				return
			}
			p.do(y, "alter extension "+name+" set "+y.Definition)
		}
	case KindType:
		p.alterType(x, y)
	case KindFunction:
		p.do(y, y.Create...)
	case KindAggregate:
		p.do(y, strings.Replace(y.Create[0], "create aggregate", "create or replace aggregate", 1))
	case KindSequence:
		p.alterSequence(x, y, "sequence")
	case KindTable:
		p.alterTable(x, y)
	case KindDefault:
		p.create(y, rel)
	case KindIdentity:
		p.alterIdentity(x, y)
	case KindSequenceOwner, KindReplicaIdentity, KindComment:
		p.do(y, y.Create...)
	case KindRowSecurity:
		p.do(y, rowSecurity(Quote(y.Schema, y.Table), x.Definition, y.Definition)...)
	case KindPartition:
		p.do(y, y.Create...) // it has been detached
	case KindInheritance:
		before := p.a.parents(p.a.relation(x))
		for _, parent := range p.b.parents(rel) {
			if p.from[parent] == nil || !slices.Contains(before, p.from[parent]) {
				p.do(y, "alter table only "+Quote(y.Schema, y.Table)+" inherit "+Quote(parent.Schema, parent.Name))
			}
		}
	case KindTSDictionary:
		p.alterDictionary(x, y)
	case KindTSConfig:
		p.alterConfiguration(x, y)
	default:
		p.fail(y, "can not become %q", y.Definition)
	}
}

func rowSecurity(table, from, to string) []string {
	var list []string
	for _, w := range []struct{ state, on, off string }{
		{"enabled", "enable", "disable"}, {"forced", "force", "no force"},
	} {
		switch before, after := strings.Contains(from, w.state), strings.Contains(to, w.state); {
		case after && !before:
			list = append(list, "alter table "+table+" "+w.on+" row level security")
		case before && !after:
			list = append(list, "alter table "+table+" "+w.off+" row level security")
		}
	}
	return list
}

// alterPart returns what turns x, a part of a table, into y, if there is a way short of making it again.
func (p *planner) alterPart(x, y *Object) ([]string, bool) {
	r := p.renames(x)
	table := Quote(y.Schema, y.Table)
	switch x.Kind {
	case KindForeignKey, KindCheck:
		if x.Definition == "" || y.Definition == "" {
			return p.alterInherited(x, y)
		}
		if before, ok := strings.CutSuffix(x.Definition, " NOT VALID"); ok && r.explain(before, y.Definition) {
			return []string{"alter table " + table + " validate constraint " + Quote(y.Name)}, true
		}
		from, to := deferrability(x.Definition), deferrability(y.Definition)
		if x.Kind == KindForeignKey && from != to && !strings.HasSuffix(y.Definition, " NOT ENFORCED") &&
			r.explain(strings.Replace(x.Definition, from, "", 1), strings.Replace(y.Definition, to, "", 1)) {
			if to == "" {
				to = " NOT DEFERRABLE"
			}
			return []string{"alter table " + table + " alter constraint " + Quote(y.Name) + strings.ToLower(to)}, true
		}
	case KindConstraint, KindIndex:
		return p.alterIndex(x, y, r)
	case KindView:
		// A view can be replaced as long as its columns stay, perhaps with more behind them.
		if r.explain(x.clause, cutTokens(y.clause, x.clause)) && !p.losesColumns(x) {
			return []string{strings.Replace(y.Create[0], "create view", "create or replace view", 1)}, true
		}
	case KindStatistics:
		before, from, _ := strings.Cut(x.Definition, "\n")
		after, to, _ := strings.Cut(y.Definition, "\n")
		if from != to && r.explain(before, after) {
			if to == "" {
				to = "set statistics -1"
			}
			return []string{"alter statistics " + Quote(y.Schema, y.Name) + " " + to}, true
		}
	}
	return nil, false
}

// cutTokens returns the beginning of a list of columns that has as many columns as another.
func cutTokens(list, other string) string {
	n := strings.Count(other, ",")
	parts := strings.SplitAfter(list, ",")
	return strings.Join(parts[:min(n, len(parts))], "")
}

// losesColumns reports whether a table that a view reads loses a column, or gets one of another type in its place.
func (p *planner) losesColumns(x *Object) bool {
	for _, n := range x.needs {
		y := p.to[n]
		if n.Relation == nil || y == nil {
			continue
		}
		r := p.renames(n)
		for i := range n.Relation.Columns {
			c := &n.Relation.Columns[i]
			if d := y.Relation.byNum(c.Num); d == nil || p.typeChanges(c, d, r) {
				return true
			}
		}
	}
	return false
}

// alterInherited treats a check that was its parent's or is so now.
func (p *planner) alterInherited(x, y *Object) ([]string, bool) {
	rel := p.a.relation(x)
	if y.Definition != "" && !slices.ContainsFunc(p.a.parents(rel), func(parent *Object) bool {
		return !p.isParent(parent, rel) || p.isUntied(rel)
	}) {
		// It may have gone with the parent's, which is not known: whether it was also the table's own is in no model.
		table := Quote(y.Schema, y.Table)
		return []string{"alter table " + table + " drop constraint if exists " + Quote(y.Name),
			"alter table " + table + " add constraint " + Quote(y.Name) + " " + y.clause}, true
	}
	return []string{}, true
}

// deferrability returns the part of a foreign key's definition that says when it is checked.
func deferrability(definition string) string {
	for _, s := range []string{" DEFERRABLE INITIALLY DEFERRED", " DEFERRABLE"} {
		if strings.HasSuffix(strings.TrimSuffix(definition, " NOT VALID"), s) {
			return s
		}
	}
	return ""
}

// alterIndex changes what is kept beside an index: whether the table is clustered by it, the statistics of its
// expressions, and its storage parameters.
func (p *planner) alterIndex(x, y *Object, r *renames) ([]string, bool) {
	before, after := strings.Split(x.Definition, "\n"), strings.Split(y.Definition, "\n")
	textBefore, textAfter := before[0], after[0]
	// The definition itself may have several lines, when a constant in it has.
	settings := func(lines []string) (text string, rest []string) {
		n := len(lines)
		for n > 1 && (lines[n-1] == "clustered" || strings.HasPrefix(lines[n-1], "column ")) {
			n--
		}
		return strings.Join(lines[:n], "\n"), lines[n:]
	}
	textBefore, before = settings(before)
	textAfter, after = settings(after)
	index, rel := indexName(y), p.b.relation(y)
	var list []string
	plainBefore, optionsBefore := cutOptions(textBefore)
	plainAfter, optionsAfter := cutOptions(textAfter)
	if !r.explain(plainBefore, plainAfter) {
		return nil, false
	}
	list = append(list, changeOptions("alter index "+index, optionsBefore, optionsAfter)...)
	table := "alter table "
	if rel.Kind == KindMaterializedView {
		table = "alter materialized view "
	}
	table += Quote(y.Schema, y.Table)
	for _, line := range before {
		if slices.Contains(after, line) {
			continue
		}
		if line == "clustered" {
			if !p.clustersAnother(rel, y) {
				list = append(list, table+" set without cluster")
			}
			continue
		}
		column, _, _ := strings.Cut(line, " set statistics ")
		if !slices.ContainsFunc(after, func(s string) bool { return strings.HasPrefix(s, column+" ") }) {
			list = append(list, "alter index "+index+" alter "+column+" set statistics -1")
		}
	}
	for _, line := range after {
		switch {
		case slices.Contains(before, line):
		case line == "clustered":
			list = append(list, table+" cluster on "+Quote(y.Name))
		default:
			list = append(list, "alter index "+index+" alter "+line)
		}
	}
	return list, true
}

// clustersAnother reports whether a table is clustered by another index than y.
func (p *planner) clustersAnother(rel, y *Object) bool {
	for _, o := range p.b.users[rel] {
		if o != y && (o.Kind == KindIndex || o.Kind == KindConstraint) && strings.Contains(o.Definition, "\nclustered") {
			return true
		}
	}
	return false
}

func indexName(o *Object) string { return Quote(o.Schema, o.Name) }

// cutOptions takes the storage parameters out of the definition of an index or constraint.
func cutOptions(definition string) (rest string, options []string) {
	begin := strings.Index(definition, " WITH (")
	if begin < 0 {
		return definition, nil
	}
	length := strings.IndexByte(definition[begin:], ')')
	if length < 0 {
		return definition, nil
	}
	for option := range strings.SplitSeq(definition[begin+len(" WITH ("):begin+length], ",") {
		options = append(options, strings.TrimSpace(option))
	}
	return definition[:begin] + definition[begin+length+1:], options
}

// changeOptions returns what changes storage parameters, given as name=value.
func changeOptions(begin string, from, to []string) []string {
	var list, set, reset []string
	name := func(option string) string {
		name, _, _ := strings.Cut(option, "=")
		return name
	}
	for _, option := range to {
		if !slices.Contains(from, option) {
			set = append(set, option)
		}
	}
	for _, option := range from {
		if !slices.ContainsFunc(to, func(s string) bool { return name(s) == name(option) }) {
			reset = append(reset, name(option))
		}
	}
	if len(set) > 0 {
		list = append(list, begin+" set ("+strings.Join(set, ", ")+")")
	}
	if len(reset) > 0 {
		list = append(list, begin+" reset ("+strings.Join(reset, ", ")+")")
	}
	return list
}

// alterSequence changes the options of a sequence, all of them by one statement.
func (p *planner) alterSequence(x, y *Object, _ string) {
	begin := "alter sequence " + Quote(y.Schema, y.Name)
	before, unloggedBefore := strings.CutPrefix(x.Definition, "unlogged ")
	after, unlogged := strings.CutPrefix(y.Definition, "unlogged ")
	if p.target >= 15 && unlogged != unloggedBefore && !p.ownedByAltered(y) {
		p.do(y, begin+map[bool]string{true: " set unlogged", false: " set logged"}[unlogged])
	}
	if before != after {
		p.do(y, begin+strings.TrimPrefix(sequenceOptions(before, after), "sequence"))
	}
}

// ownedByAltered reports whether a sequence becomes logged or unlogged with the table that owns it.
func (p *planner) ownedByAltered(y *Object) bool {
	for _, user := range p.b.users[y] {
		for _, n := range user.needs {
			if user.Kind == KindSequenceOwner && n.Kind == KindTable && p.from[n] != nil && p.from[n].Relation.Unlogged != n.Relation.Unlogged {
				return true
			}
		}
	}
	return false
}

// sequenceOptions completes the new options of a sequence.
func sequenceOptions(before, after string) string {
	if !strings.HasSuffix(after, " cycle") && strings.HasSuffix(before, " cycle") {
		after += " no cycle"
	}
	// The value a sequence stands at has to be within its limits, also when nobody carries values over.
	if limits(before) != limits(after) {
		words := strings.Fields(after)
		if i := slices.Index(words, "start"); i >= 0 {
			after += " restart with " + words[i+2]
		}
	}
	return after
}

func limits(options string) string {
	words := strings.Fields(options)
	i := slices.Index(words, "minvalue")
	if i < 0 || i+3 >= len(words) {
		return ""
	}
	return strings.Join(words[i:i+4], " ")
}

// alterIdentity changes the identity of a column: "generated always as identity (sequence name s.q start with …)".
func (p *planner) alterIdentity(x, y *Object) {
	rel := p.b.relation(y)
	alter := "alter table " + only(rel) + Quote(y.Schema, y.Table) + " alter column " + Quote(y.Name)
	wordsBefore, before := cutIdentity(x.Definition)
	wordsAfter, after := cutIdentity(y.Definition)
	nameBefore, optionsBefore := before[0], before[1]
	nameAfter, optionsAfter := after[0], after[1]
	if nameBefore != nameAfter {
		a, b := tokens(nameBefore), tokens(nameAfter)
		if from, to := a[len(a)-1].text, b[len(b)-1].text; from != to {
			p.do(y, "alter sequence "+Quote(b[0].text, from)+" rename to "+Quote(to))
		}
	}
	if wordsBefore != wordsAfter {
		p.do(y, alter+" set "+wordsAfter)
	}
	if optionsBefore != optionsAfter {
		options := sequenceOptions(optionsBefore, optionsAfter)
		p.do(y, "alter sequence "+nameAfter+" "+options)
	}
}

// cutIdentity returns the words before "as identity", and the name and the options of the sequence.
func cutIdentity(definition string) (words string, sequence [2]string) {
	words, rest, _ := strings.Cut(definition, " as identity (sequence name ")
	name, options, _ := strings.Cut(strings.TrimSuffix(rest, ")"), " start with ")
	return words, [2]string{name, "start with " + options}
}

// alterDictionary sets the options of a text search dictionary that differ, and takes back those that are not there any more.
func (p *planner) alterDictionary(x, y *Object) {
	before, after := dictionaryOptions(x.Definition), dictionaryOptions(y.Definition)
	var list []string
	for _, o := range after {
		if !slices.Contains(before, o) {
			list = append(list, o)
		}
	}
	for _, o := range before {
		name, _, _ := strings.Cut(o, " = ")
		if !slices.ContainsFunc(after, func(s string) bool { return strings.HasPrefix(s, name+" = ") }) {
			list = append(list, name)
		}
	}
	if len(list) > 0 {
		p.do(y, "alter text search dictionary "+Quote(y.Schema, y.Name)+" ("+strings.Join(list, ", ")+")")
	}
}

func dictionaryOptions(definition string) []string {
	var list []string
	_, rest, ok := strings.Cut(definition, ", ")
	for ok {
		var option string
		// Values are constants in quotes, which can have commas.
		end := strings.Index(rest, "', ")
		if end < 0 {
			option, ok = rest, false
		} else {
			option, rest = rest[:end+1], rest[end+3:]
		}
		list = append(list, option)
	}
	return list
}

// alterConfiguration changes the mappings of a text search configuration.
func (p *planner) alterConfiguration(x, y *Object) {
	before, after := strings.Split(x.Definition, "\n"), strings.Split(y.Definition, "\n")
	begin := "alter text search configuration " + Quote(y.Schema, y.Name)
	r := p.renames(x)
	for _, line := range before[1:] {
		if !slices.ContainsFunc(after[1:], func(s string) bool { return r.explain(line, s) }) {
			alias, _, _ := strings.Cut(line, " with ")
			p.do(y, begin+" drop mapping for "+alias)
		}
	}
	for _, line := range after[1:] {
		if !slices.ContainsFunc(before[1:], func(s string) bool { return r.explain(s, line) }) {
			p.do(y, begin+" add mapping for "+line)
		}
	}
}
