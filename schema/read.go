package schema

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Options choose what Read takes into the model. The zero value takes everything that is not the system's or the bridge's.
type Options struct {
	// Schema reports whether objects in a schema are wanted; nil wants all. System schemas, temporary ones and the
	// schema bridge are never read.
	Schema func(schema string) bool
	// Table reports whether a table (partitioned tables and partitions too) is wanted; nil wants all. Indexes,
	// triggers and owned sequences go with their table, views and foreign keys that need it are left out.
	Table func(schema, table string) bool
	// Target is the major version for which statements are rendered; 0 is the version of the server that is read.
	Target int
}

// settings pins what changes the text that a server renders.
const settings = `
select set_config(name, value, true)
from (values
	('search_path', ''),
	('quote_all_identifiers', 'off'),
	('standard_conforming_strings', 'on'),
	('datestyle', 'ISO, YMD'),
	('intervalstyle', 'postgres'),
	('timezone', 'UTC'),
	('extra_float_digits', '1'),
	('bytea_output', 'hex'),
	('xmloption', 'content'),
	('lc_monetary', 'C')
) as pinned(name, value)`

// Read returns the schema of the database that conn is connected to. Within an open transaction it reads what that sees
// (so pass tx.Conn() to read under the snapshot of a copy), otherwise in a read only transaction of its own; settings
// are as before when it returns. DDL committed by others during the read can make it fail; then read again.
func Read(ctx context.Context, conn *pgx.Conn, opt Options) (*Model, error) {
	begin, end := "begin isolation level repeatable read, read only", "rollback"
	if conn.PgConn().TxStatus() != 'I' {
		// The settings are local to the savepoint.
		begin, end = "savepoint bridge_schema_read", "rollback to savepoint bridge_schema_read; release savepoint bridge_schema_read"
	}
	if _, err := conn.Exec(ctx, begin, pgx.QueryExecModeSimpleProtocol); err != nil {
		return nil, fmt.Errorf("read schema: begin: %w", err)
	}
	m, err := read(ctx, conn, opt)
	if _, endErr := conn.Exec(ctx, end, pgx.QueryExecModeSimpleProtocol); endErr != nil && err == nil {
		err = endErr
	}
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	return m, nil
}

func read(ctx context.Context, conn *pgx.Conn, opt Options) (*Model, error) {
	if _, err := conn.Exec(ctx, settings); err != nil {
		return nil, fmt.Errorf("pin settings: %w", err)
	}
	r := &reader{conn: conn, opt: opt, graph: newGraph()}
	var version int
	if err := conn.QueryRow(ctx, "select current_setting('server_version_num')::int", pgx.QueryExecModeExec).Scan(&version); err != nil {
		return nil, fmt.Errorf("server version: %w", err)
	}
	r.major = version / 10000
	if r.major < 14 {
		return nil, errors.New("PostgreSQL before 14 is not supported")
	}
	r.target = opt.Target
	if r.target == 0 {
		r.target = r.major
	}
	// Dependencies and functions come before the tables, because what can stand in CREATE TABLE depends on them, and
	// tables come before what belongs to them.
	for _, step := range []struct {
		what string
		read func(context.Context) error
	}{
		{"dependencies", r.readDependencies},
		{"schemas", r.readSchemas},
		{"extensions", r.readExtensions},
		{"collations", r.readCollations},
		{"columns", r.readColumns},
		{"types", r.readTypes},
		{"functions", r.readFunctions},
		{"aggregates", r.readAggregates},
		{"operators", r.readOperators},
		{"relations", r.readRelations},
		{"sequences", r.readSequences},
		{"defaults", r.readDefaults},
		{"constraints", r.readConstraints},
		{"indexes", r.readIndexes},
		{"create tables", r.renderTables},
		{"operator classes", r.readOperatorClasses},
		{"casts", r.readCasts},
		{"text search", r.readTextSearch},
		{"rules", r.readRules},
		{"triggers", r.readTriggers},
		{"policies", r.readPolicies},
		{"statistics", r.readStatistics},
		{"comments", r.readComments},
		{"what is not covered", r.readNotCovered},
	} {
		if err := step.read(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", step.what, err)
		}
	}
	m := &Model{Version: version, NotCovered: r.notCovered, target: r.target}
	r.graph.connect()
	m.LeftOut = r.graph.leaveOut()
	r.addRefreshes()
	m.Objects = r.graph.sort()
	return m, nil
}

// reader gathers a model. Its read methods add nodes to the graph, each from one or two queries over whole catalogs.
type reader struct {
	conn   *pgx.Conn
	opt    Options
	major  int // of the server
	target int // the major version that shall understand the statements
	graph  *graph

	columns    map[uint32][]*column // by relation, in order of attnum
	relations  map[uint32]*relation
	tables     []*relation // ordinary and partitioned tables, by name
	views      []*relation
	notCovered []string
}

// userSchema is the condition on pg_namespace n that every query carries.
const userSchema = `n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'bridge')`

// query returns the rows of sql as structs whose fields are named as the columns. The functions that render definitions
// look at the catalog of now, not of the transaction, and give null for what is gone: then scanning into a string fails,
// and so does Read.
func query[T any](ctx context.Context, r *reader, sql string, args ...any) ([]T, error) {
	// Not prepared: each of these is asked once, and the connection is the caller's.
	rows, err := r.conn.Query(ctx, sql, append([]any{pgx.QueryExecModeExec}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByName[T])
}

// since returns expr on servers of the given major version and later, and otherwise instead: catalogs grow.
func (r *reader) since(major int, expr, instead string) string {
	if r.major >= major {
		return expr
	}
	return instead
}

// wantSchema reports whether the options ask for objects of a schema.
func (r *reader) wantSchema(name string) bool {
	return r.opt.Schema == nil || r.opt.Schema(name)
}

// wantTable reports whether the options ask for a table.
func (r *reader) wantTable(schema, name string) bool {
	return r.wantSchema(schema) && (r.opt.Table == nil || r.opt.Table(schema, name))
}

// add puts an object into the graph, known there as id. Comments on it are made at address: "table s.t".
// It returns nil for members of extensions, which come with their extension.
func (r *reader) add(o *Object, id ref, address string) *node {
	if _, member := r.graph.members[id]; member {
		return nil
	}
	n := r.graph.add(o, id)
	n.address[id] = address
	if o.Schema != "" && !r.wantSchema(o.Schema) {
		n.excluded = true
	}
	return n
}

// addPart is add for an object that belongs to a relation: it needs that, and is excluded silently with it.
func (r *reader) addPart(o *Object, id ref, address string, of *relation) *node {
	n := r.add(o, id, address)
	if n != nil {
		o.Schema, o.Table = of.Schema, of.Name
		n.parent = of.node
		n.needs(of.node)
	}
	return n
}
