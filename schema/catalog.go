package schema

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/pgbridge/pgbridge/change"
)

// Entry is what the catalogs say of one object and of its parts, which have no entry of their own: the columns and
// defaults of a table, the constraints of a domain, the rule that makes a view.
type Entry struct {
	Address change.Address
	Kind    string // as pg_identify_object names it: "table", "foreign table", "operator class"
	Name    string // its identity there, qualified: "public.t", "t_pkey on public.t"
	Text    string // the JSON that the server wrote; the same text each time for the same catalogs
}

// Catalog is an image of the catalogs of one database: what a Model is made of, object by object.
// The entry at Address{} is the server's.
type Catalog map[change.Address]Entry

// CatalogOf is the image that a model of the log holds.
func CatalogOf(m *change.Model) Catalog {
	c := Catalog{}
	for _, e := range m.Entries() {
		c[e.Address] = Entry{Address: e.Address, Kind: e.Kind, Name: e.Name, Text: e.Text}
	}
	return c
}

// record is an entry's text as data.
type record struct {
	Class *uint32
	OID   *uint32
	Kind  string
	Name  string
	Rows  rows

	text    string
	needs   []ref // what its rows need, as they call it
	parts   []ref // whose rows stand in it, and that have no entry of their own
	belongs ref   // the relation that it is a part of; its OID is 0 if it is of none

	temporary bool // a name in it may be what a plan would take for a temporary one
}

func (r *record) address() change.Address { return change.Address{Class: *r.Class, OID: *r.OID} }

// rows holds the rows of entries, of one or of many, by the names that the sources give them.
type rows struct {
	Server            []serverRow
	Depends           []dependRow
	Comments          []commentRow
	Schemas           []schemaRow
	Extensions        []extensionRow
	Collations        []collationRow
	Types             []typeRow
	DomainConstraints []domainConstraint `json:"domain_constraints"`
	Functions         []functionRow
	Aggregates        []aggregateRow
	Operators         []operatorRow
	Casts             []castRow
	Families          []familyRow
	Classes           []classRow
	Members           []memberRow
	TextSearch        []textSearchRow `json:"text_search"`
	Relations         []relation
	Columns           []column
	Sequences         []sequenceRow
	Constraints       []constraintRow
	Indexes           []indexRow
	Rules             []ruleRow
	Triggers          []triggerRow
	Policies          []policyRow
	Statistics        []statisticsRow
	DefaultPrivileges []defaultPrivilegesRow `json:"default_privileges"`
	Others            []otherRow
}

func (r *rows) add(more *rows) {
	r.Server = append(r.Server, more.Server...)
	r.Depends = append(r.Depends, more.Depends...)
	r.Comments = append(r.Comments, more.Comments...)
	r.Schemas = append(r.Schemas, more.Schemas...)
	r.Extensions = append(r.Extensions, more.Extensions...)
	r.Collations = append(r.Collations, more.Collations...)
	r.Types = append(r.Types, more.Types...)
	r.DomainConstraints = append(r.DomainConstraints, more.DomainConstraints...)
	r.Functions = append(r.Functions, more.Functions...)
	r.Aggregates = append(r.Aggregates, more.Aggregates...)
	r.Operators = append(r.Operators, more.Operators...)
	r.Casts = append(r.Casts, more.Casts...)
	r.Families = append(r.Families, more.Families...)
	r.Classes = append(r.Classes, more.Classes...)
	r.Members = append(r.Members, more.Members...)
	r.TextSearch = append(r.TextSearch, more.TextSearch...)
	r.Relations = append(r.Relations, more.Relations...)
	r.Columns = append(r.Columns, more.Columns...)
	r.Sequences = append(r.Sequences, more.Sequences...)
	r.Constraints = append(r.Constraints, more.Constraints...)
	r.Indexes = append(r.Indexes, more.Indexes...)
	r.Rules = append(r.Rules, more.Rules...)
	r.Triggers = append(r.Triggers, more.Triggers...)
	r.Policies = append(r.Policies, more.Policies...)
	r.Statistics = append(r.Statistics, more.Statistics...)
	r.DefaultPrivileges = append(r.DefaultPrivileges, more.DefaultPrivileges...)
	r.Others = append(r.Others, more.Others...)
}

type serverRow struct {
	Version int // server_version_num
}

// ParseEntry reads an entry's text, which may come from anywhere.
func ParseEntry(text string) (Entry, error) {
	r, err := parseRecord(text)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Address: r.address(), Kind: r.Kind, Name: r.Name, Text: text}, nil
}

func parseRecord(text string) (*record, error) {
	var r record
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, fmt.Errorf("parse a catalog entry: %w", err)
	}
	switch {
	case r.Class == nil || r.OID == nil || r.Kind == "":
		return nil, errors.New("parse a catalog entry: no class, oid or kind")
	case (*r.Class == 0) != (*r.OID == 0):
		return nil, fmt.Errorf("parse a catalog entry: %s is no address", r.address())
	}
	r.text = text
	return &r, nil
}

// serverEntry reads the entry of the server.
const serverEntry = `
select 0::oid as class, 0::oid as oid, json_build_object('class', 0, 'oid', 0, 'kind', 'server', 'name', '',
	'rows', json_build_object('server', json_build_array(json_build_object(
		'version', pg_catalog.current_setting('server_version_num')::int)))) as entry`

// source is a query for entries. One text serves to read all of them, and to read some by their OIDs.
type source struct {
	class uint32
	part  string // what its row, one for each entry, is called among the entry's rows
	sql   string // gives the rows, with a column oid; it ends in a where clause
	key   string // what the column oid is in that clause
	table string // likewise the OID of the table that the object belongs to, if it does
	kinds string // the values of relkind, where the source is one of several for pg_class
	// builtIn says that it is of objects that are there before any of the user's, where they are other than they were: those of
	// extensions, too.
	builtIn bool
	more    []part // further rows
	parts   string // a query for class and oid of parts that have no entry: their dependencies stand in this one
}

// part is a query for further rows of the entry whose row is h.
type part struct{ name, sql string }

// sources are the queries for all entries but the server's.
func sources() []source {
	return slices.Concat([]source{
		schemaSource, extensionSource, collationSource, typeSource, functionSource, aggregateSource, operatorSource, castSource,
		familySource, classSource, relationSource, sequenceSource, constraintSource, indexSource, ruleSource, triggerSource,
		policySource, statisticsSource, defaultPrivilegesSource,
	}, textSearchSources, otherSources)
}

// query returns the text that reads entries. It gives null for an object that is gone by now: the functions that render
// definitions look at the catalogs of now, not of the transaction.
func (s source) query(condition string) string {
	// Members of extensions come with their extension, and so does what they are made of.
	where := ""
	if !s.builtIn {
		where = "\n" + notMember(s.class, s.key)
	}
	if s.table != "" {
		where += "\n" + notMember(inClass, s.table)
	}
	if condition != "" {
		where += "\n\tand " + s.key + " " + condition
	}
	more := append([]part{}, s.more...)
	more = append(more, part{"comments", ownComments(s.class)}, part{"depends", s.depends()})
	var rows strings.Builder
	fmt.Fprintf(&rows, "\n\t'%s', json_build_array(row_to_json(h))", s.part)
	for _, p := range more {
		fmt.Fprintf(&rows, ",\n\t'%s', (select json_agg(row_to_json(q)) from (%s\n) q)", p.name, p.sql)
	}
	return fmt.Sprintf(`
select %[1]d::oid as class, h.oid, case when i.identity is not null then json_strip_nulls(json_build_object(
	'class', %[1]d, 'oid', h.oid::int8, 'kind', i.type, 'name', i.identity, 'rows', json_build_object(%[2]s))) end as entry
from (%[3]s%[4]s
offset 0) h
cross join lateral pg_catalog.pg_identify_object(%[1]d, h.oid, 0) i
order by h.oid`, s.class, rows.String(), s.sql, where)
}

func notMember(class uint32, oid string) string {
	return fmt.Sprintf("\tand not exists (select from pg_catalog.pg_depend member where member.classid = %d and member.objid = %s and member.deptype = 'e')", class, oid)
}

// CaptureFunctions returns the statements that make bridge.catalog(classes oid[], oids oid[]), on a master of any version.
// It gives the entries of those addresses that have one, with texts as ReadCatalog's, as rows of class, oid and entry.
//
// The queries of a class stand in a function of their own, called by bridge.catalog only: a session has to parse just what
// it needs.
func CaptureFunctions() string {
	give := func(sql string) string {
		// Without the offset, the condition would be pushed into the query, and the entry made once more for it.
		return "return query select * from (" + sql + "\noffset 0) q where q.entry is not null;\n"
	}
	byClass := map[uint32]string{0: give(serverEntry)}
	for _, s := range sources() {
		one := give(s.query("= any (oids)"))
		if s.kinds != "" {
			// A query that is not asked need not be planned.
			one = "if (select count(*) from pg_catalog.pg_class c where c.oid = any (oids) and c.relkind in (" + s.kinds + ")) > 0 then\n" + one + "end if;\n"
		}
		byClass[s.class] += one
	}
	const head = `create or replace function bridge.%s returns table (class oid, oid oid, entry json)
language plpgsql
%sas $capture$
#variable_conflict use_column
`
	var b, cases, settings strings.Builder
	for _, class := range slices.Sorted(maps.Keys(byClass)) {
		name := fmt.Sprintf("catalog_%d", class)
		fmt.Fprintf(&b, head+"begin\n%send\n$capture$;\n\n", name+"(oids oid[])", "", byClass[class])
		fmt.Fprintf(&cases, "\t\t\twhen %d then return query select * from bridge.%s(v_oids);\n", class, name)
	}
	for _, s := range pinned {
		fmt.Fprintf(&settings, "set %s = %s\n", s.name, s.value)
	}
	// A plan for any OIDs is as good as one for these, and is made once for a session.
	settings.WriteString("set plan_cache_mode = force_generic_plan\n")
	fmt.Fprintf(&b, head+`declare
	v_class oid;
	v_oids oid[];
begin
	for v_class, v_oids in
		select given.class, pg_catalog.array_agg(distinct given.oid)
		from rows from (pg_catalog.unnest(classes), pg_catalog.unnest(oids)) as given (class, oid)
		group by given.class
		order by given.class
	loop
		case v_class
%s			else null;
		end case;
	end loop;
end
$capture$`, "catalog(classes oid[], oids oid[])", &settings, &cases)
	return b.String()
}

// ReadCatalog returns the entries of all that is the user's, under the terms of Read.
func ReadCatalog(ctx context.Context, conn *pgx.Conn) (Catalog, error) {
	var c Catalog
	err := pinnedRead(ctx, conn, func() (err error) {
		c, err = readCatalog(ctx, conn)
		return err
	})
	return c, err
}

func readCatalog(ctx context.Context, conn *pgx.Conn) (Catalog, error) {
	var version int
	if err := conn.QueryRow(ctx, "select current_setting('server_version_num')::int", pgx.QueryExecModeExec).Scan(&version); err != nil {
		return nil, fmt.Errorf("server version: %w", err)
	}
	if version < 140000 {
		return nil, errors.New("PostgreSQL before 14 is not supported")
	}
	var texts []string
	read := func(what, sql string) error {
		more, err := query(ctx, conn, "select q.entry::text from ("+sql+"\n) q", pgx.RowTo[*string])
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		for _, text := range more {
			if text == nil {
				return fmt.Errorf("%s: %w", what, ErrChanged)
			}
			texts = append(texts, *text)
		}
		return nil
	}
	if err := read("server", serverEntry); err != nil {
		return nil, err
	}
	for _, s := range sources() {
		if err := read(s.part, s.query("")); err != nil {
			return nil, err
		}
	}
	c := make(Catalog, len(texts))
	for _, text := range texts {
		e, err := ParseEntry(text)
		if err != nil {
			return nil, err
		}
		c[e.Address] = e
	}
	return c, nil
}

// query returns the rows of sql.
func query[T any](ctx context.Context, conn *pgx.Conn, sql string, to pgx.RowToFunc[T]) ([]T, error) {
	// Not prepared: each of these is asked once, and the connection is the caller's.
	rows, err := conn.Query(ctx, sql, pgx.QueryExecModeExec)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, to)
}

// FromCatalog renders the model that Read would have returned when the catalogs were as the image has them, but for the
// planner's estimates, which are -1, and for what is not in an image (NotInImage).
func FromCatalog(c Catalog, opt Options) (*Model, error) { return new(Renderer).Model(c, opt) }
