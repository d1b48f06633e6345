package postgres

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/pgbridge/pgbridge/commitlog"
	"github.com/pgbridge/pgbridge/schema"
)

// A chunk is about Options.ChunkBytes large, so that no snapshot is held for long and a
// copy that is killed does not lose much; but it has Options.ChunkRows rows at least and
// so many at most.
const chunkRowsMax = 500_000

// source is a table to be copied.
type source struct {
	oid uint32 // on the master
	tableName
	name    string // quoted
	columns string // quoted list of what is copied
	// key holds the columns by which the table is cut into chunks; without one it is
	// a single chunk, since changes of its rows can not be told apart.
	key       []keyColumn
	rows      int64 // estimated
	bytes     int64
	chunkRows int64
	planned   bool
	settle    bool          // see bridge.copy_table
	shape     *schema.Table // that the replica has
	now       *rendered     // with all others
	postponed atomic.Bool   // it has another shape on the master by now
}

type keyColumn struct{ name, typeName, definition string } // definition: as keyOf has it

// chunk is a range of a table's key: lower is exclusive, upper inclusive, nil is open.
type chunk struct {
	table        *source
	number       int
	lower, upper []string
	single       [][]string // keys of single rows instead of a range
	numbers      []int      // of these
}

// whole says whether the chunk is the whole table.
func (c *chunk) whole() bool { return c.lower == nil && c.upper == nil && c.single == nil }

// copyRows copies all chunks that are not there yet, several at a time.
func (t *Target) copyRows(ctx context.Context, master *pgx.Conn) error {
	tables, err := t.sources(ctx, master, "copying")
	if err != nil {
		return err
	}
	pending, err := t.pending(ctx, tables)
	if err != nil {
		return err
	}
	var count counter
	for _, s := range tables {
		count.total += s.rows
	}
	if err := t.conn.QueryRow(ctx, `select coalesce(sum(rows), 0) from bridge.copy_chunk`).Scan(&count.before); err != nil {
		return t.wrap("read the copy", err)
	}
	chunks := make(chan chunk)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(chunks)
		send := func(c chunk) error {
			select {
			case chunks <- c:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		for _, c := range pending {
			if err := send(c); err != nil {
				return err
			}
		}
		for _, s := range tables {
			if s.planned {
				continue
			}
			err := t.plan(ctx, master, s, send)
			if undefined(err) {
				err = t.postpone(ctx, s)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	for range t.o.Workers {
		group.Go(func() error { return t.copyChunks(ctx, chunks, &count) })
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		t.showRows(ctx, &count)
	}()
	err = group.Wait() // ends ctx
	<-ended
	return err
}

// counter counts what was copied.
type counter struct {
	total, before int64
	rows, bytes   atomic.Int64
}

// showRows reports progress until ctx ends, and once more then.
func (t *Target) showRows(ctx context.Context, count *counter) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for ended := false; ; {
		done := count.before + count.rows.Load()
		t.progress(Progress{Phase: "rows", Done: done, Total: max(count.total, done), Bytes: count.bytes.Load()})
		if ended {
			return
		}
		select {
		case <-ctx.Done():
			ended = true
		case <-tick.C:
		}
	}
}

// sources describes the tables in a state of copying, as they stand on the master.
func (t *Target) sources(ctx context.Context, master *pgx.Conn, state string) ([]*source, error) {
	rows, err := t.conn.Query(ctx, `
		select relid, schema_name, table_name, planned, estimated_rows, estimated_bytes, settle
		from bridge.copy_table
		where state = $1
		order by estimated_bytes desc, schema_name, table_name`, state)
	if err != nil {
		return nil, t.wrap("read the copy", err)
	}
	tables, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*source, error) {
		s := &source{}
		err := row.Scan(&s.oid, &s.schema, &s.tableName.name, &s.planned, &s.rows, &s.bytes, &s.settle)
		return s, err
	})
	if err != nil {
		return nil, t.wrap("read the copy", err)
	}
	model, err := t.models.Model(ctx, t.modelSum)
	if err != nil {
		return nil, err
	}
	now, err := t.rendered(model)
	if err != nil {
		return nil, err
	}
	for _, s := range tables {
		s.shape, s.now = now.tables[s.oid], now
		s.name = schema.Quote(s.schema, s.tableName.name)
		if err := s.describe(ctx, master); err != nil {
			return nil, err
		}
		s.cut(t.o)
	}
	return tables, nil
}

// cut decides how many rows a chunk has.
func (s *source) cut(o Options) {
	if s.chunkRows = chunkRowsMax; s.rows > 0 && s.bytes > 0 {
		s.chunkRows = min(max(o.ChunkBytes*s.rows/s.bytes, o.ChunkRows), chunkRowsMax)
	}
}

// chunkTypes are the types whose order is the same in an index and in a comparison
// under an empty search_path; a table with another type in its key is one chunk.
const chunkTypes = `'bool', 'int2', 'int4', 'int8', 'oid', 'numeric', 'float4', 'float8', 'text', 'varchar', 'bpchar', 'name', 'bytea',
	'uuid', 'date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval', 'inet', 'macaddr', 'macaddr8'`

// describe reads the columns and the key from the master, as they are now.
func (s *source) describe(ctx context.Context, master commitlog.Conn) error {
	oid := s.oid
	err := master.QueryRow(ctx, `
		select coalesce(pg_catalog.string_agg(pg_catalog.quote_ident(attname), ', ' order by attnum), '')
		from pg_catalog.pg_attribute
		where attrelid = $1 and attnum > 0 and not attisdropped and attgenerated = ''`, oid).Scan(&s.columns)
	if err != nil {
		return fmt.Errorf("describe table %s: %w", s.name, err)
	}
	rows, err := master.Query(ctx, `
		select pg_catalog.quote_ident(a.attname), 'pg_catalog.' || pg_catalog.quote_ident(ty.typname),
			pg_catalog.format('%s %s %s', a.attnum, pg_catalog.format_type(a.atttypid, a.atttypmod),
				case when a.attcollation <> ty.typcollation and a.attcollation <> 0 then a.attcollation::pg_catalog.regcollation::text end),
			a.attgenerated = '' and n.nspname = 'pg_catalog' and ty.typname in (`+chunkTypes+`)
		from pg_catalog.pg_class c
		join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisvalid and i.indimmediate
			and case c.relreplident when 'i' then i.indisreplident when 'n' then false else i.indisprimary end
		cross join pg_catalog.unnest(i.indkey::int2[]) with ordinality u (attnum, n)
		join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum = u.attnum
		join pg_catalog.pg_type ty on ty.oid = a.atttypid
		join pg_catalog.pg_namespace n on n.oid = ty.typnamespace
		where c.oid = $1 and u.n <= i.indnkeyatts
		order by u.n`, oid)
	if err != nil {
		return fmt.Errorf("describe the key of table %s: %w", s.name, err)
	}
	ordered := true
	for rows.Next() {
		var k keyColumn
		var ok bool
		if err := rows.Scan(&k.name, &k.typeName, &k.definition, &ok); err != nil {
			return fmt.Errorf("describe the key of table %s: %w", s.name, err)
		}
		ordered = ordered && ok
		s.key = append(s.key, k)
	}
	if rows.Err() != nil {
		return fmt.Errorf("describe the key of table %s: %w", s.name, rows.Err())
	}
	if !ordered {
		s.key = nil
	}
	if s.rows <= 0 {
		s.rows = s.bytes / 100 // never analyzed
	}
	return nil
}

// pending lists the chunks that were planned and not copied.
func (t *Target) pending(ctx context.Context, tables []*source) ([]chunk, error) {
	byOID := map[uint32]*source{}
	for _, s := range tables {
		byOID[s.oid] = s
	}
	rows, err := t.conn.Query(ctx, `
		select c.relid, c.chunk, c.lower_key, c.upper_key
		from bridge.copy_chunk c
		join bridge.copy_table t using (relid)
		where c.snapshot is null and t.state = 'copying'
		order by t.schema_name, t.table_name, c.chunk`)
	if err != nil {
		return nil, t.wrap("read the copy", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (chunk, error) {
		var c chunk
		var oid uint32
		err := row.Scan(&oid, &c.number, &c.lower, &c.upper)
		if c.table = byOID[oid]; c.table == nil && err == nil {
			err = fmt.Errorf("chunk of unknown table %d", oid)
		}
		return c, err
	})
}

// plan cuts the rest of a table into chunks, walking along its key, and sends them as
// they are found. What is planned is stored first.
func (t *Target) plan(ctx context.Context, master *pgx.Conn, s *source, send func(chunk) error) error {
	c := chunk{table: s}
	var err error
	if c.number, c.lower, err = t.nextPlanned(ctx, t.conn, s.oid); err != nil {
		return err
	}
	for {
		if c.upper, err = t.endOf(ctx, master, c); err != nil {
			return err
		}
		end := c.upper == nil
		err := pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, `insert into bridge.copy_chunk (relid, chunk, lower_key, upper_key) values ($1, $2, $3, $4)`,
				s.oid, c.number, c.lower, c.upper); err != nil {
				return err
			}
			if !end {
				return nil
			}
			_, err := tx.Exec(ctx, `update bridge.copy_table set planned = true where relid = $1`, s.oid)
			return err
		})
		if err != nil {
			return t.wrap("plan the copy of "+s.name, err)
		}
		if err := send(c); err != nil {
			return err
		}
		if end {
			return nil
		}
		c.number, c.lower = c.number+1, c.upper
	}
}

// nextPlanned is where the plan of a table goes on: the number of the next chunk, and what it begins behind.
func (t *Target) nextPlanned(ctx context.Context, conn *pgx.Conn, oid uint32) (number int, lower []string, err error) {
	err = conn.QueryRow(ctx, `
		select chunk + 1, upper_key from bridge.copy_chunk where relid = $1 order by chunk desc limit 1`, oid).Scan(&number, &lower)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil, nil
	}
	return number, lower, t.wrap("read the copy", err)
}

// endOf finds where a chunk ends; nil: at the table's end.
func (t *Target) endOf(ctx context.Context, master *pgx.Conn, c chunk) ([]string, error) {
	s := c.table
	if len(s.key) == 0 || s.bytes <= t.o.ChunkBytes+t.o.ChunkBytes/2 {
		return nil, nil
	}
	return s.bound(ctx, master, c.lower)
}

// bound finds the key at which a chunk behind lower ends; nil: at the table's end.
func (s *source) bound(ctx context.Context, master *pgx.Conn, lower []string) ([]string, error) {
	shown := make([]string, len(s.key))
	for i, k := range s.key {
		shown[i] = "pg_catalog.format('%s', " + k.name + ")"
	}
	// Within, nothing is made of the rows that are passed over.
	query := fmt.Sprintf("select array[%s]::text[] from (select %s from only %s where %s order by %[2]s offset %[5]d limit 1) k",
		strings.Join(shown, ", "), s.keyNames(), s.name, s.condition(lower, nil), s.chunkRows-1)
	var upper []string
	err := master.QueryRow(ctx, query, pgx.QueryExecModeSimpleProtocol).Scan(&upper)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("plan the copy of %s: %w", s.name, err)
	}
	return upper, nil
}

func (s *source) keyNames() string {
	names := make([]string, len(s.key))
	for i, k := range s.key {
		names[i] = k.name
	}
	return strings.Join(names, ", ")
}

// condition is what rows the chunk has, as SQL.
func (c *chunk) condition() string {
	if c.single == nil {
		return c.table.condition(c.lower, c.upper)
	}
	keys := make([]string, len(c.single))
	for i, key := range c.single {
		keys[i] = "(" + c.table.literals(key) + ")"
	}
	return fmt.Sprintf("(%s) in (%s)", c.table.keyNames(), strings.Join(keys, ", "))
}

// condition is a range as SQL.
func (s *source) condition(lower, upper []string) string {
	where := "true"
	for _, bound := range []struct {
		op     string
		values []string
	}{{">", lower}, {"<=", upper}} {
		if bound.values == nil {
			continue
		}
		where += fmt.Sprintf(" and (%s) %s (%s)", s.keyNames(), bound.op, s.literals(bound.values))
	}
	return where
}

// literals writes the values of a key.
func (s *source) literals(key []string) string {
	list := make([]string, len(s.key))
	for i, k := range s.key {
		list[i] = quoteLiteral(key[i]) + "::" + k.typeName
	}
	return strings.Join(list, ", ")
}

// quoteLiteral quotes a string whatever standard_conforming_strings is.
func quoteLiteral(s string) string {
	quoted := strings.ReplaceAll(s, "'", "''")
	if strings.Contains(s, `\`) {
		return " E'" + strings.ReplaceAll(quoted, `\`, `\\`) + "'"
	}
	return "'" + quoted + "'"
}

// copyChunks copies chunks over connections of its own until there are no more.
func (t *Target) copyChunks(ctx context.Context, chunks <-chan chunk, count *counter) error {
	var from, to *pgx.Conn
	for c := range chunks {
		if from == nil {
			var err error
			if from, err = pgx.ConnectConfig(ctx, t.masterConfig()); err != nil {
				return fmt.Errorf("connect to the master to copy from: %w", err)
			}
			defer from.Close(context.WithoutCancel(ctx))
			if to, err = t.connect(ctx); err != nil {
				return err
			}
			defer to.Close(context.WithoutCancel(ctx))
		}
		err := t.copyChunk(ctx, from, to, c, count)
		if errors.Is(err, errOtherShape) || undefined(err) || doesNotFit(err) {
			t.o.Log.Info("table changes while it is copied, and is copied later", "replica", t.o.Name, "table", c.table.name, "reason", err)
			err = t.postpone(ctx, c.table)
		}
		if err != nil {
			return fmt.Errorf("copy table %s, chunk %d: %w", c.table.name, c.number, err)
		}
	}
	return nil
}

// errOtherShape says that a table has other columns on the master than the replica, which
// stands at an earlier block.
var errOtherShape = errors.New("the table has other columns on the master by now")

// postpone gives up to copy a table in chunks: it is copied when the stream has brought
// what the master made of it.
func (t *Target) postpone(ctx context.Context, s *source) error {
	if s.postponed.Swap(true) {
		return nil
	}
	conn, err := t.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return t.wrap("postpone the copy of "+s.name, pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, sql := range []string{
			// First, and others see it: a chunk that is being copied is noted there.
			`update bridge.copy_table set state = 'wanted', planned = false where relid = $1`,
			`delete from bridge.copy_chunk where relid = $1`,
		} {
			if _, err := tx.Exec(ctx, sql, s.oid); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, "delete from only "+s.name)
		return err
	}))
}

// copyChunk reads a chunk in a snapshot and stores it together with the snapshot. The
// rows go through as COPY writes them.
func (t *Target) copyChunk(ctx context.Context, from, to *pgx.Conn, c chunk, count *counter) error {
	s := c.table
	if s.postponed.Load() {
		return nil
	}
	read, err := from.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return fmt.Errorf("master: %w", err)
	}
	defer read.Rollback(context.WithoutCancel(ctx)) // it only reads
	// Locked before the snapshot is taken: one that is older than a TRUNCATE or a rewrite
	// would find an empty table, which no moment of the master was.
	if _, err := read.Exec(ctx, "lock table only "+s.name+" in access share mode"); err != nil {
		return fmt.Errorf("master: %w", err)
	}
	var sn string
	if err := read.QueryRow(ctx, `select pg_catalog.pg_current_snapshot()::text`).Scan(&sn); err != nil {
		return fmt.Errorf("master: %w", err)
	}
	if same, err := sameShape(ctx, read, s.shape); err != nil || !same {
		return cmp.Or(err, errOtherShape)
	}
	write, err := to.Begin(ctx)
	if err != nil {
		return t.wrap("begin", err)
	}
	defer write.Rollback(context.WithoutCancel(ctx)) // does nothing after the commit

	wake, err := t.silence(ctx, to, s.name, s.now)
	if err != nil {
		return err
	}
	rows, err := t.transfer(ctx, from, to, c, s.name, count)
	if err != nil {
		return err
	}
	if err := wake(); err != nil {
		return err
	}
	noted, err := write.Exec(ctx, `update bridge.copy_chunk set snapshot = $1, rows = $2 where relid = $3 and chunk = $4 and snapshot is null`,
		sn, rows, s.oid, c.number)
	if err != nil {
		return t.wrap("note the chunk", err)
	}
	if noted.RowsAffected() == 0 {
		return nil // the table was postponed meanwhile
	}
	if err := read.Rollback(ctx); err != nil {
		return fmt.Errorf("master: %w", err)
	}
	if err := onDisk(ctx, from); err != nil {
		return err
	}
	if err := write.Commit(ctx); err != nil {
		return t.wrap("commit the chunk", err)
	}
	count.rows.Add(rows)
	return nil
}

// transfer copies the rows of a chunk into a table, from one open transaction to another.
func (t *Target) transfer(ctx context.Context, from, to *pgx.Conn, c chunk, into string, count *counter) (rows int64, err error) {
	s := c.table
	list := ""
	if s.columns != "" {
		list = "(" + s.columns + ")"
	}
	format, err := copyFormat(ctx, s.shape, from, to, into)
	if err != nil {
		return 0, t.wrap("look up the columns of "+into, err)
	}
	query := fmt.Sprintf("copy %s %s to stdout", s.name, list)
	if !c.whole() {
		query = fmt.Sprintf("copy (select %s from only %s where %s) to stdout", s.columns, s.name, c.condition())
	}
	query += format
	reader, writer := io.Pipe()
	type sent struct {
		rows int64
		err  error
	}
	out := make(chan sent, 1)
	go func() {
		buffered := bufio.NewWriterSize(&counting{writer, count}, 128<<10)
		tag, err := from.PgConn().CopyTo(ctx, buffered, query)
		if err == nil {
			err = buffered.Flush()
		}
		writer.CloseWithError(err)
		out <- sent{tag.RowsAffected(), err}
	}()
	tag, err := to.PgConn().CopyFrom(ctx, reader, fmt.Sprintf("copy %s %s from stdin", into, list)+format)
	reader.CloseWithError(err)
	done := <-out
	switch {
	case done.err != nil && !errors.Is(done.err, io.ErrClosedPipe) && (err == nil || done.err != err):
		return 0, fmt.Errorf("master: %w", done.err)
	case err != nil:
		return 0, t.wrap("load", err)
	case tag.RowsAffected() != done.rows:
		return 0, fmt.Errorf("%d rows were read and %d stored", done.rows, tag.RowsAffected())
	}
	return done.rows, nil
}

// counting counts the bytes that pass.
type counting struct {
	w     io.Writer
	count *counter
}

func (c *counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.count.bytes.Add(int64(n))
	return n, err
}
