package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// relation is a row of pg_class for a table, view, materialized view or foreign table, and what hangs on it.
type relation struct {
	OID             uint32 `json:",string"`
	Schema          string
	Name            string
	Kind            string // relkind
	Persistence     string
	Partition       bool   // relispartition
	ReplicaIdentity string `json:"replica_identity"`
	AccessMethod    string `json:"access_method"`
	Options         []string
	ToastOptions    []string `json:"toast_options"`
	OfType          string   `json:"of_type"`
	PartitionKey    string   `json:"partition_key"`
	PartitionBound  string   `json:"partition_bound"`
	Parents         []uint32 // in order of inheritance
	RowSecurity     bool     `json:"row_security"`
	ForceSecurity   bool     `json:"force_security"`
	Query           string   // of views
	Populated       bool
	owned

	node    *node
	columns []*column
	checks  []*check
	// defaults holds the default expressions that stand in CREATE TABLE, by column number.
	defaults map[int16]string
}

func (t *relation) quoted() string { return Quote(t.Schema, t.Name) }

var relationSource = source{class: inClass, part: "relations", key: "c.oid", kinds: "'r', 'p', 'v', 'm', 'f'", sql: `
select c.oid, n.nspname as schema, c.relname as name, c.relkind::text as kind, c.relpersistence::text as persistence,
	c.relispartition as partition, c.relreplident::text as replica_identity, am.amname as access_method,
	c.reloptions as options, (select t.reloptions from pg_catalog.pg_class t where t.oid = c.reltoastrelid) as toast_options,
	nullif(c.reloftype, 0)::regtype::text as of_type,
	case when c.relkind = 'p' then pg_catalog.pg_get_partkeydef(c.oid) end as partition_key,
	case when c.relispartition then pg_catalog.pg_get_expr(c.relpartbound, c.oid) end as partition_bound,
	(select array_agg(i.inhparent::int8 order by i.inhseqno) from pg_catalog.pg_inherits i where i.inhrelid = c.oid) as parents,
	c.relrowsecurity as row_security, c.relforcerowsecurity as force_security,
	case when c.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(c.oid) end as query,
	c.relispopulated as populated, pg_catalog.pg_get_userbyid(c.relowner) as owner, c.relacl::text[] as acl
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_am am on am.oid = c.relam
where c.relkind in ('r', 'p', 'v', 'm', 'f')
	and ` + userSchema, more: []part{relationColumns, copiedTriggers}, parts: `
		union all
		select 2604, a.oid
		from pg_catalog.pg_attrdef a
		where a.adrelid = h.oid
		union all
		select 1247, t.oid
		from pg_catalog.pg_class c
		join pg_catalog.pg_type r on r.oid = c.reltype
		join pg_catalog.pg_type t on t.oid in (r.oid, r.typarray)
		where c.oid = h.oid
		union all
		select 2618, w.oid
		from pg_catalog.pg_rewrite w
		where w.ev_class = h.oid
			and w.rulename = '_RETURN'`}

func (r *reader) addRelations() {
	r.relations = make(map[uint32]*relation, len(r.in.Relations))
	list := slices.SortedFunc(slices.Values(r.in.Relations), func(a, b relation) int {
		return cmp.Or(strings.Compare(a.Schema, b.Schema), strings.Compare(a.Name, b.Name))
	})
	for i := range list {
		t := &list[i]
		t.columns, t.defaults = r.columns[t.OID], map[int16]string{}
		o := &Object{Kind: KindTable, Schema: t.Schema, Name: t.Name, OID: t.OID}
		word := "table "
		switch t.Kind {
		case "v":
			o.Kind, word = KindView, "view "
		case "m":
			o.Kind, word = KindMaterializedView, "materialized view "
		case "f":
			o.Kind = "foreign table"
		}
		if t.node = r.add(o, ref{inClass, t.OID}, word+t.quoted()); t.node == nil {
			continue
		}
		r.relations[t.OID] = t
		r.own(t.node, ref{inClass, t.OID}, t.owned, "table", t.quoted(), t.columns, nil)
		switch t.Kind {
		case "v":
			r.renderView(t)
		case "m":
			r.renderMaterializedView(t)
		case "f":
			t.node.uncovered = true
		default:
			t.node.excluded = !r.wantTable(t.Schema, t.Name)
			r.tables = append(r.tables, t)
			r.addRowSecurity(t)
		}
	}
}

func (r *reader) renderView(t *relation) {
	o, text := t.node.obj, strings.TrimSuffix(strings.TrimSpace(t.Query), ";")
	o.Definition = "view" + with(sorted(t.Options), nil) + " as\n" + text
	o.Create = []string{"create view " + t.quoted() + with(t.Options, nil) + " as\n" + text}
	nulls := make([]string, len(t.columns))
	for i, c := range t.columns {
		o.clause += Quote(c.Name) + " " + c.Type + c.collation() + ","
		nulls[i] = "null::" + c.Type + c.collation() + " as " + Quote(c.Name)
	}
	t.node.dummy = []string{"create view " + t.quoted() + " as select " + strings.Join(nulls, ", ")}
	t.node.circular = t.readsItself(text)
}

// readsItself reports whether a view's query names the view, as one that was replaced can: it can not be asked, but be there.
// The catalog's dependencies do not tell, since in old versions every view has one on itself.
func (t *relation) readsItself(query string) bool {
	if !strings.Contains(query, strings.ReplaceAll(t.Name, `"`, `""`)) {
		return false
	}
	list := tokens(query)
	for i := range len(list) - 2 {
		if list[i] == (token{tokenName, t.Schema}) && list[i+1].text == "." && list[i+2] == (token{tokenName, t.Name}) {
			return true
		}
	}
	return false
}

func (r *reader) renderMaterializedView(t *relation) {
	o, text := t.node.obj, strings.TrimSuffix(strings.TrimSpace(t.Query), ";")
	attributes := columnSettings(t)
	o.Definition = "materialized view" + tableTail(t, sorted(t.Options), sorted(t.ToastOptions), " ") + " as\n" + text + strings.Join(attributes, "")
	o.Create = append([]string{"create materialized view " + t.quoted() + tableTail(t, t.Options, t.ToastOptions, " ") + " as\n" + text + "\nwith no data"},
		prefixed("alter materialized view "+t.quoted(), attributes)...)
	if t.Populated {
		r.views = append(r.views, t)
	}
}

// addRefreshes adds the steps that fill materialized views, after everything else, each after those it reads from.
func (r *reader) addRefreshes() {
	refresh := map[*node]*node{}
	var list []*node
	for _, t := range r.views {
		if !slices.Contains(r.graph.nodes, t.node) {
			continue
		}
		n := r.graph.add(&Object{Kind: KindRefresh, Schema: t.Schema, Table: t.Name, Name: t.Name, Phase: PostData,
			Create: []string{"refresh materialized view " + t.quoted()}}, ref{})
		n.needs(t.node)
		refresh[t.node] = n
		list = append(list, t.node)
	}
	for _, view := range list {
		seen := map[*node]bool{}
		var visit func(*node)
		visit = func(n *node) {
			for dep := range n.deps {
				if !seen[dep] {
					seen[dep] = true
					refresh[view].needs(refresh[dep])
					visit(dep)
				}
			}
		}
		visit(view)
	}
}

// renderTables makes the CREATE statements of tables, of which by now all parts are known.
func (r *reader) renderTables() {
	for _, t := range r.tables {
		r.renderTable(t)
		r.addReplicaIdentity(t)
	}
}

// renderTable makes a table with its columns, and with the defaults and checks that can stand there.
//
// A partition is made as a table of its own and attached, like pg_dump does it: so it keeps the order of its columns.
// A child in plain inheritance is made with INHERITS if that gives its columns in their order. If not, it is made alone
// and inherits later; the order is kept, but all its columns then count as its own too (attislocal).
func (r *reader) renderTable(t *relation) {
	n := t.node
	inherits := len(t.Parents) > 0 && !t.Partition && r.naturalOrder(t)
	var lines, after []string
	for _, c := range t.columns {
		if inherits && !c.Local {
			after = append(after, r.inheritedColumn(t, c)...)
			continue
		}
		if t.OfType != "" {
			if rest := c.constraints(r, t, inherits); rest != "" {
				lines = append(lines, Quote(c.Name)+" with options"+rest)
			}
			continue
		}
		lines = append(lines, Quote(c.Name)+" "+c.Type+c.collation()+c.constraints(r, t, inherits))
	}
	for _, c := range t.checks {
		if c.inline && (c.Local || !inherits) {
			lines = append(lines, "constraint "+Quote(c.Name)+" "+c.Definition)
		}
	}

	var b strings.Builder
	b.WriteString("create ")
	if t.Persistence == "u" {
		b.WriteString("unlogged ")
	}
	b.WriteString("table " + t.quoted())
	if t.OfType != "" {
		b.WriteString(" of " + t.OfType)
	}
	if len(lines) > 0 || t.OfType == "" {
		b.WriteString(" (")
		if len(lines) > 0 {
			b.WriteString("\n\t" + strings.Join(lines, ",\n\t") + "\n")
		}
		b.WriteString(")")
	}
	if inherits {
		names := make([]string, len(t.Parents))
		for i, oid := range t.Parents {
			names[i] = r.relations[oid].quoted()
			n.needs(r.relations[oid].node)
		}
		b.WriteString("\ninherits (" + strings.Join(names, ", ") + ")")
	}
	b.WriteString(tableTail(t, t.Options, t.ToastOptions, "\n"))
	n.obj.Create = append([]string{b.String()}, prefixed("alter table only "+t.quoted(), append(after, columnSettings(t)...))...)
	r.addParents(t, inherits)
	t.describe()
}

// tableTail returns the clauses that follow a table's columns.
func tableTail(t *relation, options, toast []string, separator string) string {
	var b strings.Builder
	if t.PartitionKey != "" {
		b.WriteString(separator + "partition by " + t.PartitionKey)
	}
	if t.AccessMethod != "" && t.AccessMethod != "heap" {
		b.WriteString(separator + "using " + Quote(t.AccessMethod))
	}
	if options := with(options, toast); options != "" {
		b.WriteString(separator + strings.TrimSpace(options))
	}
	return b.String()
}

// naturalOrder reports whether the columns of t stand as CREATE TABLE … INHERITS would lay them.
func (r *reader) naturalOrder(t *relation) bool {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, oid := range t.Parents {
		parent := r.relations[oid]
		if parent == nil || parent.node.excluded || parent.node.uncovered {
			return false
		}
		for _, c := range parent.columns {
			add(c.Name)
		}
	}
	for _, c := range t.columns {
		add(c.Name)
	}
	return slices.EqualFunc(names, t.columns, func(name string, c *column) bool { return name == c.Name })
}

// addParents adds the object that ties a table to those it inherits from, or to the table it is a partition of.
func (r *reader) addParents(t *relation, natural bool) {
	if len(t.Parents) == 0 {
		return
	}
	names := make([]string, len(t.Parents))
	o := &Object{Kind: KindInheritance, Name: t.Name}
	n := r.addPart(o, ref{}, "", t)
	for i, oid := range t.Parents {
		parent := r.relations[oid]
		if parent == nil {
			names[i] = fmt.Sprintf("relation %d", oid) // of an extension, or the system's
			n.uncovered = true
			continue
		}
		names[i] = parent.quoted()
		n.needs(parent.node)
		if !natural && !t.Partition {
			o.Create = append(o.Create, "alter table only "+t.quoted()+" inherit "+parent.quoted())
		}
	}
	for _, c := range t.checks {
		n.needs(c.node) // which a parent expects to find
	}
	o.Definition = "inherits (" + strings.Join(names, ", ") + ")"
	if t.Partition {
		o.Kind = KindPartition
		o.Create = []string{"alter table only " + names[0] + " attach partition " + t.quoted() + " " + t.PartitionBound}
		o.Definition = "partition of " + names[0] + " " + t.PartitionBound
	}
}

func (r *reader) addReplicaIdentity(t *relation) {
	words := map[string]string{"f": "full", "n": "nothing"}
	if words[t.ReplicaIdentity] != "" {
		o := &Object{Kind: KindReplicaIdentity, Name: t.Name, Phase: PostData, Definition: words[t.ReplicaIdentity],
			Create: []string{"alter table only " + t.quoted() + " replica identity " + words[t.ReplicaIdentity]}}
		r.addPart(o, ref{}, "", t)
	}
}

func (r *reader) addRowSecurity(t *relation) {
	o := &Object{Kind: KindRowSecurity, Name: t.Name, Phase: PostData}
	if t.RowSecurity {
		o.Definition = "enabled"
		o.Create = append(o.Create, "alter table "+t.quoted()+" enable row level security")
	}
	if t.ForceSecurity {
		o.Definition = strings.TrimSpace(o.Definition + " forced")
		o.Create = append(o.Create, "alter table only "+t.quoted()+" force row level security")
	}
	if o.Definition != "" {
		r.addPart(o, ref{}, "", t)
	}
}

// describe fills in the object's definition and what users of the model want to know of the table.
func (t *relation) describe() {
	d := t.node.obj.Relation
	if d == nil {
		d = &Table{}
		t.node.obj.Relation = d
	}
	d.OID, d.Schema, d.Name = t.OID, t.Schema, t.Name
	d.Partitioned, d.Partition, d.Unlogged = t.Kind == "p", t.Partition, t.Persistence == "u"
	if len(t.ReplicaIdentity) == 1 {
		d.ReplicaIdentity = t.ReplicaIdentity[0]
	}
	d.Rows, d.Bytes = -1, -1
	d.relation = t
	d.head = "table"
	if d.Unlogged {
		d.head = "unlogged table"
	}
	if t.OfType != "" {
		d.head += " of " + t.OfType
	}
	d.head += tableTail(t, sorted(t.Options), sorted(t.ToastOptions), " ")
	if d.ReplicaIdentity == 'd' {
		d.Identity = d.PrimaryKey
	}
	text := d.head
	for _, c := range t.columns {
		public := c.describe()
		d.Columns = append(d.Columns, public)
		text += "\n" + Quote(c.Name) + " " + public.Definition
	}
	t.node.obj.Definition = text
}

// with renders storage parameters, which the catalog keeps as name=value; those of the TOAST table get its prefix.
func with(options, toast []string) string {
	var list []string
	add := func(prefix string, options []string) {
		for _, option := range options {
			name, value, _ := strings.Cut(option, "=")
			list = append(list, prefix+Quote(name)+"="+literal(value))
		}
	}
	add("", options)
	add("toast.", toast)
	if len(list) == 0 {
		return ""
	}
	return " with (" + strings.Join(list, ", ") + ")"
}

// sorted returns storage parameters in an order of their own: that of the catalog is the order in which they were set.
func sorted(options []string) []string { return slices.Sorted(slices.Values(options)) }

// prefixed puts the beginning of a statement before each of its possible ends.
func prefixed(begin string, ends []string) []string {
	list := make([]string, len(ends))
	for i, end := range ends {
		list[i] = begin + end
	}
	return list
}
