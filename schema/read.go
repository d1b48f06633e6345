package schema

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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
	// OwnDefaults says that the role which executes the statements has default privileges of its own (ALTER DEFAULT
	// PRIVILEGES), which the objects that it makes shall not keep.
	OwnDefaults bool
}

// pinned are the settings that change the text which a server renders, and what keeps them as they shall be. The temporary
// schema, in which a session could hide our types from us, is looked into last.
var pinned = []struct{ name, value string }{
	{"search_path", "pg_catalog, pg_temp"},
	{"quote_all_identifiers", "off"},
	{"standard_conforming_strings", "on"},
	{"datestyle", "'ISO, YMD'"},
	{"intervalstyle", "'postgres'"},
	{"timezone", "'UTC'"},
	{"extra_float_digits", "1"},
	{"bytea_output", "'hex'"},
	{"xmloption", "content"},
	{"lc_monetary", "'C'"},
	{"jit", "off"}, // takes longer than it saves
}

// Read returns the schema of the database that conn is connected to. Within an open transaction it reads what that sees
// (so pass tx.Conn() to read under the snapshot of a copy), otherwise in a read only transaction of its own; settings
// are as before when it returns. DDL that others commit meanwhile can come in between: the functions that render definitions
// look at the catalogs of now. A transaction of its own is begun again then, a few times; within an open one, and if it does not
// end, the error is ErrChanged.
func Read(ctx context.Context, conn *pgx.Conn, opt Options) (*Model, error) {
	var m *Model
	err := pinnedRead(ctx, conn, func() error {
		c, err := readCatalog(ctx, conn)
		if err != nil {
			return err
		}
		if m, err = FromCatalog(c, opt); err != nil {
			return err
		}
		if err := readEstimates(ctx, conn, m); err != nil {
			return fmt.Errorf("estimates: %w", err)
		}
		if err := readRoles(ctx, conn, m); err != nil {
			return fmt.Errorf("roles: %w", err)
		}
		return readNotInImage(ctx, conn, m)
	})
	return m, err
}

// ErrChanged is the error of a read that others' DDL came into.
var ErrChanged = errors.New("objects were dropped or changed while they were read")

// changed makes ErrChanged of what the server says of an object that is there for the query and not for the function that
// renders it: "cache lookup failed", or that it does not exist.
func changed(err error) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if ok && (pg.Code == "XX000" || pg.Code == "42P01" || pg.Code == "42703" || pg.Code == "42704" || pg.Code == "42883") {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return err
}

// pinnedRead calls read within a transaction or a savepoint in which the settings are pinned: once, or until nobody's DDL
// comes into it.
func pinnedRead(ctx context.Context, conn *pgx.Conn, read func() error) error {
	const attempts = 10
	within := conn.PgConn().TxStatus() != 'I'
	for n := 1; ; n++ {
		err := pinnedReadOnce(ctx, conn, within, read)
		if within || n == attempts || !errors.Is(err, ErrChanged) {
			return err
		}
	}
}

// pinnedReadOnce does so once; within says that a transaction is open.
func pinnedReadOnce(ctx context.Context, conn *pgx.Conn, within bool, read func() error) error {
	begin, end := "begin isolation level repeatable read, read only", "rollback"
	if within {
		// The settings are local to the savepoint.
		begin, end = "savepoint bridge_schema_read", "rollback to savepoint bridge_schema_read; release savepoint bridge_schema_read"
	}
	if _, err := conn.Exec(ctx, begin, pgx.QueryExecModeSimpleProtocol); err != nil {
		return fmt.Errorf("read schema: begin: %w", err)
	}
	var settings strings.Builder
	for _, s := range pinned {
		fmt.Fprintf(&settings, "set local %s = %s;", s.name, s.value)
	}
	_, err := conn.Exec(ctx, settings.String(), pgx.QueryExecModeSimpleProtocol)
	if err == nil {
		err = changed(read())
	}
	if _, endErr := conn.Exec(ctx, end, pgx.QueryExecModeSimpleProtocol); endErr != nil && err == nil {
		err = endErr
	}
	if err != nil {
		return fmt.Errorf("read schema: %w", err)
	}
	return nil
}

// readEstimates adds what changes without a change of the schema.
func readEstimates(ctx context.Context, conn *pgx.Conn, m *Model) error {
	type estimate struct {
		OID   uint32
		Rows  float64
		Bytes int64
	}
	list, err := query(ctx, conn, `
select c.oid, c.reltuples::float8 as rows, c.relpages::int8 * current_setting('block_size')::int8 as bytes
from pg_catalog.pg_class c
where c.relkind in ('r', 'p')
	and c.oid >= 16384`, pgx.RowToStructByName[estimate])
	if err != nil {
		return err
	}
	byOID := make(map[uint32]estimate, len(list))
	for _, e := range list {
		byOID[e.OID] = e
	}
	for _, t := range m.Tables() {
		t.Rows, t.Bytes = int64(byOID[t.OID].Rows), byOID[t.OID].Bytes
	}
	return nil
}

// readRoles adds the roles of the server.
func readRoles(ctx context.Context, conn *pgx.Conn, m *Model) error {
	names, err := query(ctx, conn, "select r.rolname::text from pg_catalog.pg_roles r", pgx.RowTo[string])
	m.roles = make(map[string]bool, len(names))
	for _, name := range names {
		m.roles[name] = true
	}
	return err
}

func render(in *rows, opt Options) (*Model, error) {
	r := &reader{in: in, opt: opt, graph: newGraph(), target: opt.Target}
	version := in.Server[0].Version
	if r.target == 0 {
		r.target = version / 10000
	}
	// Dependencies and functions come before the tables, because what can stand in CREATE TABLE depends on them, and
	// tables come before what belongs to them.
	for _, add := range []func(){
		r.addDependencies,
		r.addSchemas,
		r.addExtensions,
		r.addCollations,
		r.addColumns,
		r.addTypes,
		r.addFunctions,
		r.addAggregates,
		r.addOperators,
		r.addRelations,
		r.addSequences,
		r.addDefaults,
		r.addConstraints,
		r.addIndexes,
		r.renderTables,
		r.addOperatorClasses,
		r.addCasts,
		r.addOthers,
		r.addTextSearch,
		r.addRules,
		r.addTriggers,
		r.addPolicies,
		r.addStatistics,
		r.addComments,
		r.addDefaultPrivileges,
		r.addNotCovered,
	} {
		if add(); r.err != nil {
			return nil, r.err
		}
	}
	m := &Model{Version: version, NotCovered: r.notCovered, target: r.target}
	r.graph.connect()
	m.LeftOut = r.graph.leaveOut()
	r.addRefreshes()
	m.Objects = r.graph.sort()
	return m, nil
}

// reader gathers a model. Its add methods add nodes to the graph, each from the rows of one or two kinds.
type reader struct {
	in     *rows // shared with other renderings: not to be written to
	opt    Options
	target int // the major version that shall understand the statements
	graph  *graph

	columns    map[uint32][]*column // by relation, in order of attnum
	relations  map[uint32]*relation
	tables     []*relation // ordinary and partitioned tables, by name
	views      []*relation
	notCovered []string
	err        error // what is wrong with the rows
}

// refuse notes that the rows contradict each other.
func (r *reader) refuse(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// userSchema is the condition on pg_namespace n that every query carries.
const userSchema = `n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'bridge')`

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
	if id.class != inNowhere {
		o.Class = id.class
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
