package commitlog

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgbridge/pgbridge/change"
)

// Conn is a connection or a transaction.
type Conn interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Read returns the blocks behind block after, in order: at most so many blocks, and
// no more than so many stored bytes unless the first block alone is larger. They are
// not verified, and there can be gaps: that is the Verifier's to find. Behind a block
// that can not even be read, a CorruptError comes together with the blocks before it.
func Read(ctx context.Context, conn Conn, after int64, limit int, bytes int64) ([]Block, error) {
	rows, err := conn.Query(ctx, `
		select `+blockColumns+`
		from (
			select b.*, pg_catalog.sum(pg_catalog.octet_length(payload)) over (order by seq rows unbounded preceding) as total
			from bridge.commit_block b
			where seq > $1
			order by seq
			limit $2
		) w
		where total <= $3 or total = pg_catalog.octet_length(payload)
		order by seq`, pgx.QueryResultFormats{pgx.BinaryFormatCode}, after, limit, bytes)
	if err != nil {
		return nil, readError(after, err)
	}
	defer rows.Close()
	var blocks []Block
	var memory slab
	for rows.Next() {
		b, err := blockOf(rows.RawValues(), &memory)
		if err != nil {
			return blocks, &CorruptError{b.Seq, err.Error()} // the row is there
		}
		blocks = append(blocks, b)
	}
	if rows.Err() != nil {
		return nil, readError(after, rows.Err())
	}
	return blocks, nil
}

func readError(after int64, err error) error {
	if undefined(err) {
		return ErrNotInitialized
	}
	return fmt.Errorf("read blocks behind %d: %w", after, err)
}

// ReadPart returns a part of a block, from part 1 on, as it is stored.
func ReadPart(ctx context.Context, conn Conn, seq int64, part int32) (payload []byte, err error) {
	err = conn.QueryRow(ctx, `select payload from bridge.commit_part where seq = $1 and part = $2`, seq, part).Scan(&payload)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &CorruptError{seq, fmt.Sprintf("part %d is missing", part)}
	}
	if err != nil {
		return nil, fmt.Errorf("read block %d, part %d: %w", seq, part, err)
	}
	return payload, nil
}

// Oldest is the number of the log's first block, 0 when there is none.
func Oldest(ctx context.Context, conn Conn) (seq int64, err error) {
	if err := conn.QueryRow(ctx, `select coalesce(min(seq), 0) from bridge.commit_block`).Scan(&seq); err != nil {
		return 0, readError(0, err)
	}
	return seq, nil
}

// Anchor is the position that the log's first epoch started from: it tells one log
// from every other.
func Anchor(ctx context.Context, conn Conn) (change.Position, error) {
	var p change.Position
	var sum []byte
	err := conn.QueryRow(ctx, `select epoch, after_seq, start_lsn::text, checksum from bridge.epoch order by epoch limit 1`).
		Scan(&p.Epoch, &p.Seq, &p.LSN, &sum)
	if errors.Is(err, pgx.ErrNoRows) || undefined(err) {
		return p, ErrNotInitialized
	}
	if err != nil {
		return p, fmt.Errorf("read the log's anchor: %w", err)
	}
	p.Checksum, err = change.ParseChecksum(sum)
	return p, err
}

// LoadModel reads a model and checks that it is what its checksum says. Objects that are
// in near, a model like it, are taken from there; it may be nil.
func LoadModel(ctx context.Context, conn Conn, sum change.Checksum, near *change.Model) (*change.Model, error) {
	var sums [][]byte
	err := conn.QueryRow(ctx, `select objects from bridge.model where checksum = $1`, sum[:]).Scan(&sums)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("model %s is not in the log", sum)
	}
	if err != nil {
		return nil, fmt.Errorf("load model %s: %w", sum, err)
	}
	known := map[change.Checksum]*change.Object{}
	if near != nil {
		for _, o := range near.Objects() {
			known[o.Checksum] = o
		}
	}
	objects := make([]*change.Object, 0, len(sums))
	var missing [][]byte
	for _, b := range sums {
		if o, ok := known[change.Checksum(b)]; len(b) == len(sum) && ok {
			objects = append(objects, o)
		} else {
			missing = append(missing, b)
		}
	}
	if len(missing) > 0 {
		rows, err := conn.Query(ctx, `select definition from bridge.model_object where checksum = any($1)`, missing)
		if err != nil {
			return nil, fmt.Errorf("load model %s: %w", sum, err)
		}
		definitions, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, fmt.Errorf("load model %s: %w", sum, err)
		}
		for _, d := range definitions {
			o, err := change.ParseObject(d)
			if err != nil {
				return nil, fmt.Errorf("load model %s: %w", sum, err)
			}
			objects = append(objects, o)
		}
	}
	m := change.ModelOf(objects)
	if m.Checksum() != sum {
		return nil, fmt.Errorf("model %s is not in the log or not what its checksum says", sum)
	}
	return m, nil
}

// Ends returns up to where the server's write-ahead log is written and up to where it
// is on disk. They are equal when there is nothing that is not on disk.
func Ends(ctx context.Context, conn Conn) (inserted, flushed change.LSN, err error) {
	var segment change.LSN
	err = conn.QueryRow(ctx, `
		select pg_catalog.pg_current_wal_insert_lsn()::text, pg_catalog.pg_current_wal_flush_lsn()::text,
			('0/0'::pg_catalog.pg_lsn + pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size')))::text`).
		Scan(&inserted, &flushed, &segment)
	if err != nil {
		return 0, 0, fmt.Errorf("ask for the flushed position: %w", err)
	}
	// Where a page begins, the one stands behind the page's header and the other before it.
	header := change.LSN(24)
	if flushed%segment == 0 {
		header = 40
	}
	if flushed%8192 == 0 && inserted == flushed+header {
		inserted = flushed
	}
	return inserted, flushed, nil
}

// Durability learns which position of a log or replica survives a crash of its database,
// where commits do not wait for the disk. The zero Durability knows of none. Not for
// concurrent use.
type Durability struct {
	durable change.Position
	asked   change.Position // what was committed when the log's end was asked for last …
	askedAt change.LSN      // … and that end; 0 when nothing is asked for
}

// Reached returns the last position that is known to be durable. committed is the last one that was
// committed before the call. The answer can be late by one call: it is then the
// position of an earlier call, once the write-ahead log has been flushed past where it
// stood at that time. It writes nothing.
func (d *Durability) Reached(ctx context.Context, conn Conn, committed change.Position) (change.Position, error) {
	if d.durable == committed {
		return d.durable, nil
	}
	inserted, flushed, err := Ends(ctx, conn)
	if err != nil {
		return d.durable, err
	}
	if flushed >= inserted {
		d.durable, d.askedAt = committed, 0
		return d.durable, nil
	}
	if d.askedAt != 0 && flushed >= d.askedAt {
		d.durable, d.askedAt = d.asked, 0
	}
	if d.askedAt == 0 {
		d.asked, d.askedAt = committed, inserted
	}
	return d.durable, nil
}

func undefined(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "42P01" || pg.Code == "3F000")
}

// Trim drops the partitions of the log whose blocks all stand below keep, but never
// the last one. It gives up at once where somebody reads them.
func Trim(ctx context.Context, conn *pgx.Conn, keep int64) error {
	var droppable bool
	err := conn.QueryRow(ctx, `select exists (select from bridge.log_partition where upper_seq <= $1)`, keep).Scan(&droppable)
	if err != nil || !droppable {
		return wrapTrim(err)
	}
	return wrapTrim(pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `set local lock_timeout = '200ms'`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `select bridge.drop_partitions($1), bridge.drop_models()`, keep)
		return err
	}))
}

func wrapTrim(err error) error {
	if err != nil {
		return fmt.Errorf("trim the log: %w", err)
	}
	return nil
}
