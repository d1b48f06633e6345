package schema

import (
	"fmt"
	"strings"
)

// column is a row of pg_attribute.
type column struct {
	Relation    uint32 `json:",string"`
	Num         int16
	Name        string
	Type        string
	TypeOID     uint32 `json:"type_oid,string"`
	Collation   string // when it is not the type's
	NotNull     bool   `json:"not_null"`
	Generated   string
	Identity    string
	Local       bool
	Storage     string // when it is not the type's
	Compression string
	Statistics  *int
	Options     []string
	DefaultOID  uint32 `json:"default_oid,string"`
	Expression  string // of the default or the generated column
	Missing     *string
	ACL         []string

	notNull notNull // of servers that keep it as a constraint
}

// notNull is a NOT NULL constraint, an object of its own since PostgreSQL 18.
type notNull struct {
	name      string
	noInherit bool
	notValid  bool
}

// relationColumns reads what is not as it is most of the time.
var relationColumns = part{"columns", `
	select a.attrelid as relation, a.attnum as num, a.attname as name, a.atttypid as type_oid,
		pg_catalog.format_type(a.atttypid, a.atttypmod) as type,
		case when a.attcollation <> t.typcollation and a.attcollation <> 0 then a.attcollation::regcollation::text end as collation,
		nullif(a.attnotnull, false) as not_null, nullif(a.attgenerated::text, '') as generated, nullif(a.attidentity::text, '') as identity,
		a.attislocal as local, case when a.attstorage <> t.typstorage then a.attstorage::text end as storage,
		nullif(a.attcompression::text, '') as compression, nullif(a.attstattarget, -1)::int as statistics, a.attoptions as options,
		case when a.atthasmissing then (a.attmissingval::text::text[])[1] end as missing,
		a.attacl::text[] as acl, d.oid as default_oid, pg_catalog.pg_get_expr(d.adbin, d.adrelid) as expression
	from pg_catalog.pg_attribute a
	join pg_catalog.pg_type t on t.oid = a.atttypid
	left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
	where a.attrelid = h.oid
		and a.attnum > 0
		and not a.attisdropped
	order by a.attnum`}

func (r *reader) addColumns() {
	r.columns = map[uint32][]*column{}
	for _, c := range r.in.Columns {
		r.columns[c.Relation] = append(r.columns[c.Relation], &c)
	}
}

// byNum returns the column with an attribute number, or nil.
func byNum(columns []*column, num int16) *column {
	for _, c := range columns {
		if c.Num == num {
			return c
		}
	}
	return nil
}

// byName returns the column with a name, or nil.
func byName(columns []*column, name string) *column {
	for _, c := range columns {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func (c *column) collation() string {
	if c.Collation == "" {
		return ""
	}
	return " collate " + c.Collation
}

// generated returns the GENERATED clause, or nothing.
func (c *column) generated() string {
	words := map[string]string{"s": " stored", "v": " virtual"}
	if c.Generated == "" {
		return ""
	}
	return " generated always as (" + c.Expression + ")" + words[c.Generated]
}

// requiresValue reports whether no row of the table has a null in the column.
func (c *column) requiresValue() bool { return c.NotNull && !c.notNull.notValid }

// constraints returns what follows a column's type in CREATE TABLE.
func (c *column) constraints(r *reader, t *relation, inherits bool) string {
	var b strings.Builder
	if expr, ok := t.defaults[c.Num]; ok {
		b.WriteString(" default " + expr)
	}
	// A child takes its parent's expression by not having one, which is the only way before PostgreSQL 16.
	if !inherits || !r.inheritsExpression(t, c) {
		b.WriteString(c.generated())
	}
	switch {
	case !c.requiresValue(), c.notNull.noInherit && r.target < 18:
	case c.notNull.name != "" && c.notNull.name != t.Name+"_"+c.Name+"_not_null":
		b.WriteString(" constraint " + Quote(c.notNull.name) + " not null")
	default:
		b.WriteString(" not null")
	}
	if c.requiresValue() && c.notNull.noInherit && r.target >= 18 {
		b.WriteString(" no inherit")
	}
	return b.String()
}

func (r *reader) inheritsExpression(t *relation, c *column) bool {
	for _, oid := range t.Parents {
		if p := byName(r.relations[oid].columns, c.Name); p != nil && p.Generated != "" && p.Expression == c.Expression {
			return true
		}
	}
	return false
}

// inheritedColumn returns the ends of the ALTER TABLE ONLY statements that make a column of a child, which CREATE TABLE
// took from the parents, what it is.
func (r *reader) inheritedColumn(t *relation, c *column) []string {
	var list []string
	var required, defaulted bool
	for _, oid := range t.Parents {
		if p := byName(r.relations[oid].columns, c.Name); p != nil {
			required = required || p.requiresValue() && !p.notNull.noInherit
			defaulted = defaulted || p.DefaultOID != 0 && p.Generated == ""
		}
	}
	alter := " alter column " + Quote(c.Name)
	switch {
	case c.requiresValue() && !required:
		list = append(list, alter+" set not null")
	case !c.NotNull && required && r.target < 18:
		list = append(list, alter+" drop not null")
	}
	if defaulted && c.DefaultOID == 0 {
		list = append(list, alter+" drop default")
	}
	return list
}

var (
	storageWords     = map[string]string{"p": "plain", "e": "external", "m": "main", "x": "extended"}
	compressionWords = map[string]string{"p": "pglz", "l": "lz4"}
	identityWords    = map[string]string{"a": "always", "d": "by default"}
	generatedWords   = map[string]string{"s": "stored", "v": "virtual"}
)

// columnSettings returns the ends of the ALTER TABLE statements for what CREATE TABLE can not say of columns.
func columnSettings(t *relation) []string {
	var list []string
	for _, c := range t.columns {
		alter := " alter column " + Quote(c.Name)
		if c.Storage != "" {
			list = append(list, alter+" set storage "+storageWords[c.Storage])
		}
		if c.Compression != "" {
			list = append(list, alter+" set compression "+compressionWords[c.Compression])
		}
		if c.Statistics != nil {
			list = append(list, fmt.Sprintf("%s set statistics %d", alter, *c.Statistics))
		}
		if len(c.Options) > 0 {
			list = append(list, alter+" set"+strings.TrimPrefix(with(c.Options, nil), " with"))
		}
	}
	return list
}

// describe returns the column as the model shows it.
func (c *column) describe() Column {
	d := c.Type + c.collation() + c.generated()
	if c.requiresValue() {
		d += " not null"
		if c.notNull.noInherit {
			d += " no inherit"
		}
	}
	if c.Storage != "" {
		d += " storage " + storageWords[c.Storage]
	}
	if c.Compression != "" {
		d += " compression " + compressionWords[c.Compression]
	}
	if c.Statistics != nil {
		d += fmt.Sprintf(" statistics %d", *c.Statistics)
	}
	if len(c.Options) > 0 {
		d += strings.TrimPrefix(with(c.Options, nil), " with")
	}
	return Column{
		Name: c.Name, Num: c.Num, Type: c.Type, TypeOID: c.TypeOID, Collation: c.Collation, NotNull: c.requiresValue(),
		Generated: generatedWords[c.Generated], Identity: identityWords[c.Identity], Definition: d, Missing: c.Missing, column: c,
	}
}

// addDefaults adds the defaults of columns, of views too. Those that need no function of the user stand in CREATE TABLE.
func (r *reader) addDefaults() {
	for _, t := range r.relations {
		if t.Kind == "f" {
			continue
		}
		for _, c := range t.columns {
			if c.DefaultOID == 0 {
				continue
			}
			id := ref{inAttrdef, c.DefaultOID}
			if c.Generated != "" {
				r.graph.byRef[id] = t.node
				continue
			}
			o := &Object{Kind: KindDefault, Name: c.Name, OID: c.DefaultOID, Definition: c.Expression}
			n := r.addPart(o, id, "", t)
			if n == nil {
				continue
			}
			if t.Kind != "v" && r.graph.fitsInside(id) && (len(t.Parents) == 0 || t.Partition || c.Local) {
				n.inside = t.node
				t.defaults[c.Num] = c.Expression
				continue
			}
			alter := "alter table only "
			if t.Kind == "v" {
				alter = "alter view "
			}
			o.Create = []string{alter + t.quoted() + " alter column " + Quote(c.Name) + " set default " + c.Expression}
		}
	}
}
