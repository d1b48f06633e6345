package schema

import (
	"iter"
	"strings"
)

// Kind says what an Object is; it is the word PostgreSQL uses, in lower case.
type Kind string

// The kinds of objects in a Model, and KindColumn, which only a Difference has.
const (
	KindSchema             Kind = "schema"
	KindExtension          Kind = "extension"
	KindCollation          Kind = "collation"
	KindType               Kind = "type"
	KindFunction           Kind = "function" // also procedures and window functions
	KindAggregate          Kind = "aggregate"
	KindOperator           Kind = "operator"
	KindOperatorFamily     Kind = "operator family"
	KindOperatorClass      Kind = "operator class"
	KindCast               Kind = "cast"
	KindLanguage           Kind = "language"
	KindTransform          Kind = "transform"
	KindConversion         Kind = "conversion"
	KindAccessMethod       Kind = "access method"
	KindTSParser           Kind = "text search parser"
	KindTSTemplate         Kind = "text search template"
	KindTSDictionary       Kind = "text search dictionary"
	KindTSConfig           Kind = "text search configuration"
	KindForeignDataWrapper Kind = "foreign data wrapper"
	KindServer             Kind = "server"
	KindSequence           Kind = "sequence"
	KindTable              Kind = "table"
	KindColumn             Kind = "column"
	KindDefault            Kind = "default"
	KindIdentity           Kind = "identity"
	KindSequenceOwner      Kind = "sequence owner"
	KindInheritance        Kind = "inheritance"
	KindPartition          Kind = "partition"
	KindCheck              Kind = "check constraint"
	KindNotNull            Kind = "not null constraint" // only those not yet valid; the others belong to their column
	KindView               Kind = "view"
	KindMaterializedView   Kind = "materialized view"
	KindConstraint         Kind = "constraint" // primary key, unique, exclusion
	KindIndex              Kind = "index"
	KindIndexPartition     Kind = "index partition"
	KindReplicaIdentity    Kind = "replica identity"
	KindStatistics         Kind = "statistics"
	KindForeignKey         Kind = "foreign key"
	KindRule               Kind = "rule"
	KindTrigger            Kind = "trigger"
	KindPolicy             Kind = "policy"
	KindRowSecurity        Kind = "row security"
	KindComment            Kind = "comment"
	KindPrivileges         Kind = "privileges" // with the owner
	KindDefaultPrivileges  Kind = "default privileges"
	KindRefresh            Kind = "refresh" // fills a materialized view; never compared
)

// Phase says when, around the copying of rows, a statement is to be executed.
type Phase int

// The phases, in the order in which they are executed.
const (
	PreData  Phase = iota // what rows need to be stored
	Keys                  // primary keys and replica identity indexes: what rows need to be found
	PostData              // everything else
)

// String returns the phase's name.
func (p Phase) String() string {
	return [...]string{"pre-data", "keys", "post-data"}[p]
}

// Object is one thing in a schema. Kind, Schema, Table and Name together are its identity within a Model.
type Object struct {
	Kind   Kind
	Schema string // empty for what has none: schemas, extensions, casts
	Table  string // the relation in Schema that the object belongs to, for indexes, constraints, triggers and the like
	Name   string // its name; with argument types for functions, with access method for operator classes
	Class  uint32 // the OID of the catalog that its row is in; 0 for what has no row of its own, as comments
	OID    uint32 // its OID there, on the server that was read; 0 when Class is
	Phase  Phase
	// Create holds the statements that make the object, in order. It is empty when the statements of another object
	// do it, as with a default that stands in its table's CREATE TABLE.
	Create []string
	// Definition is canonical: two objects with the same identity are equal when their definitions are.
	// Objects with an empty one are steps of the way, and are not compared.
	Definition string
	// Firing is, of a trigger or rule that fires also where rows are applied, when it fires: "always" or "replica".
	Firing string
	// Relation describes a table further; nil for other kinds.
	Relation *Table

	needs  []*Object   // what has to exist for it, as the catalog has it; Plan needs to know
	parts  []component // what a type is made of
	roles  [][]string  // that have to exist, for each statement of Create; empty where none need to
	domain *domain     // of domains
	// keyColumns are the numbers of the columns of an index, and of the constraint that is made of it; 0 for expressions.
	keyColumns []int16
	// clause is, of a check constraint, its definition, also where Definition is empty because it is the parent's; of a
	// view, its columns and their types.
	clause string
	// privileges are what KindPrivileges and KindDefaultPrivileges stand for.
	privileges *privileges
}

// domain is what can be altered of a domain, besides its constraints.
type domain struct {
	base, byDefault string
	notNull         bool
}

// component is a label of an enum, an attribute of a composite type or a constraint of a domain.
type component struct {
	id   uint32 // stays when the part is renamed: the OID of a label or constraint, the number of an attribute
	name string
	text string // type and collation of an attribute, definition of a constraint
}

// String returns kind and qualified name, for people: "index public.t_pkey on public.t".
func (o *Object) String() string {
	switch {
	case o.Kind == KindComment:
		return "comment on " + o.Name
	case o.Kind == KindPrivileges:
		return "privileges on " + o.Name
	case o.Table == "" && o.Schema == "":
		return string(o.Kind) + " " + o.Name // a schema, an extension, a cast, a language
	case o.Table == "":
		name := o.Name
		switch o.Kind {
		case KindFunction, KindAggregate, KindOperator, KindOperatorFamily, KindOperatorClass: // are more than a name
		default:
			name = Quote(name)
		}
		return string(o.Kind) + " " + Quote(o.Schema) + "." + name
	case o.Table == o.Name:
		return string(o.Kind) + " of " + Quote(o.Schema, o.Table)
	}
	return string(o.Kind) + " " + Quote(o.Name) + " of " + Quote(o.Schema, o.Table)
}

// key identifies an object in a model.
type key struct {
	kind                Kind
	schema, table, name string
}

func (o *Object) key() key { return key{o.Kind, o.Schema, o.Table, o.Name} }

// Table is what copying and applying rows has to know of a table.
type Table struct {
	OID         uint32
	Schema      string
	Name        string
	Partitioned bool // holds no rows itself
	Partition   bool // is a partition of another table
	Unlogged    bool // its changes never reach the WAL
	Columns     []Column
	PrimaryKey  []string // in index order; nil without one
	// ReplicaIdentity is pg_class.relreplident: d(efault), i(ndex), f(ull), n(othing).
	ReplicaIdentity byte
	// Identity holds the columns by which an old row is named in the WAL: those of the replica identity index or, by
	// default, of the primary key. Nil when there are none, and for FULL and NOTHING.
	Identity []string
	Rows     int64 // the planner's estimate; -1 when the table was never analyzed
	Bytes    int64 // the planner's estimate

	head     string // the part of the definition that is not columns
	relation *relation
}

// Column is one column of a Table, without dropped ones.
type Column struct {
	Name      string
	Num       int16 // attnum: identifies the column as long as its table lives
	Type      string
	TypeOID   uint32
	Collation string // when it is not the type's
	NotNull   bool
	Generated string // "", "stored" or "virtual"
	Identity  string // "", "always" or "by default"
	// Definition is canonical, as an Object's is; defaults and identity are objects of their own.
	Definition string
	// Missing is what rows have in the column that were there when it was added, as text; nil where each row has its own value.
	Missing *string

	column *column
}

// Model is the schema of one database at one moment.
type Model struct {
	Version int       // server_version_num of the server that was read
	Objects []*Object // in an order in which they can be created, phase by phase
	// NotCovered names what was found in the database and can not be carried over: "foreign table s.t". It is sorted.
	NotCovered []string
	// LeftOut names what needs an excluded or uncovered object and is missing in Objects for that reason.
	LeftOut []string

	target int             // the major version the statements are for
	roles  map[string]bool // that exist on the server; nil when that is not known
}

// Statement is one SQL statement; it can be executed once all before it have been.
type Statement struct {
	Object *Object
	SQL    string
	// Roles have to exist. Where one does not, or where the session may not do it, a statement of KindPrivileges or
	// KindDefaultPrivileges can be left out.
	Roles []string
}

// Statements yields the statements of one phase, in order.
func (m *Model) Statements(phase Phase) iter.Seq[Statement] {
	return func(yield func(Statement) bool) {
		for _, o := range m.Objects {
			if o.Phase != phase {
				continue
			}
			for _, s := range o.statements() {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// statements returns those that make the object.
func (o *Object) statements() []Statement {
	list := make([]Statement, len(o.Create))
	for i, sql := range o.Create {
		list[i] = Statement{Object: o, SQL: reloadable(sql)}
		if o.roles != nil {
			list[i].Roles = o.roles[i]
		}
	}
	return list
}

// Tables returns the tables of the model, partitioned ones and partitions included, in order of creation.
func (m *Model) Tables() []*Table {
	var list []*Table
	for _, o := range m.Objects {
		if o.Relation != nil {
			list = append(list, o.Relation)
		}
	}
	return list
}

// Show returns the model as text, one definition after the other, for people and for tests.
func (m *Model) Show() string {
	var b strings.Builder
	for _, o := range m.Objects {
		if o.Definition != "" {
			b.WriteString(o.String() + "\n\t" + strings.ReplaceAll(o.Definition, "\n", "\n\t") + "\n")
		}
	}
	return b.String()
}
