package schema

import (
	"slices"
	"strings"
)

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
	// The definition itself may have several lines, when a constant in it has.
	settings := func(definition string) (text string, rest []string) {
		lines := strings.Split(definition, "\n")
		n := len(lines)
		for n > 1 && (lines[n-1] == "clustered" || strings.HasPrefix(lines[n-1], "column ")) {
			n--
		}
		return strings.Join(lines[:n], "\n"), lines[n:]
	}
	textBefore, before := settings(x.Definition)
	textAfter, after := settings(y.Definition)
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
	if wordsBefore != wordsAfter {
		p.do(y, alter+" set "+wordsAfter)
	}
	if before[1] != after[1] {
		p.do(y, "alter sequence "+after[0]+" "+sequenceOptions(before[1], after[1]))
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
