package commitlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgbridge/pgbridge/change"
)

// The rows of the sync table as they go over the wire in binary form, column by column in this order; see
// https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4 for what stands around them in a COPY.
const blockColumns = "seq, epoch, xid, commit_lsn, commit_time, model, checksum, parts, bytes, payload"

const blockColumnCount = 10

// CopyFrom is from how many blocks on StoreBlocks stores them by itself, by COPY, which can not be sent together with other statements.
const CopyFrom = 64

// StoreBlocks stores rows as they are, for the master's log and for its copy on a replica, in the transaction that the
// connection is in. Many are stored at once; a few are queued in the batch, for the caller to send.
func StoreBlocks(ctx context.Context, conn *pgx.Conn, batch *pgx.Batch, blocks []Block) error {
	if len(blocks) < CopyFrom {
		queueBlocks(batch, blocks)
		return nil
	}
	size := 32
	for i := range blocks {
		size += 160 + len(blocks[i].Payload)
	}
	rows := make([]byte, 0, size)
	rows = append(rows, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	for i := range blocks {
		rows = appendBlockRow(rows, &blocks[i])
	}
	rows = binary.BigEndian.AppendUint16(rows, math.MaxUint16) // the end
	tag, err := conn.PgConn().CopyFrom(ctx, bytes.NewReader(rows), "copy bridge.commit_block ("+blockColumns+") from stdin (format binary)")
	if err == nil && tag.RowsAffected() != int64(len(blocks)) {
		err = fmt.Errorf("%d rows were stored", tag.RowsAffected())
	}
	if err != nil {
		return fmt.Errorf("store blocks %d to %d: %w", blocks[0].Seq, blocks[len(blocks)-1].Seq, err)
	}
	return nil
}

func appendBlockRow(dst []byte, b *Block) []byte {
	int4 := func(v int32) {
		dst = binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 4), uint32(v))
	}
	int8 := func(v int64) {
		dst = binary.BigEndian.AppendUint64(append(dst, 0, 0, 0, 8), uint64(v))
	}
	bytea := func(v []byte) {
		dst = append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...)
	}
	dst = binary.BigEndian.AppendUint16(dst, blockColumnCount)
	int8(b.Seq)
	int4(b.Epoch)
	int8(int64(b.XID))
	int8(int64(b.LSN))
	int8(change.Timestamp(b.Commit))
	bytea(b.Model[:])
	bytea(b.Checksum[:])
	int4(b.Parts)
	int8(b.Bytes)
	bytea(b.Payload)
	return dst
}

// InsertBlock is the statement that stores one row as it is, with its parameters in binary form.
func InsertBlock(b *Block) (formats []int16, sql string, types []uint32, params [][]byte) {
	row := appendBlockRow(make([]byte, 0, 160+len(b.Payload)), b)[2:]
	for len(row) > 0 {
		n := 4 + binary.BigEndian.Uint32(row)
		params = append(params, row[4:n:n])
		row = row[n:]
	}
	return []int16{pgx.BinaryFormatCode}, insertBlock, blockTypes, params
}

const insertBlock = "insert into bridge.commit_block (" + blockColumns + ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"

// blockTypes are the types of blockColumns.
var blockTypes = []uint32{pgtype.Int8OID, pgtype.Int4OID, pgtype.Int8OID, change.LSNOID, pgtype.TimestamptzOID, pgtype.ByteaOID, pgtype.ByteaOID, pgtype.Int4OID, pgtype.Int8OID, pgtype.ByteaOID}

// slab gives copies of byte strings that share larger pieces of memory.
type slab struct{ free []byte }

const slabSize = 64 << 10

func (s *slab) copy(b []byte) []byte {
	if len(b) > slabSize/4 {
		return append([]byte(nil), b...)
	}
	if len(b) > len(s.free) {
		s.free = make([]byte, slabSize)
	}
	c := s.free[:len(b):len(b)]
	s.free = s.free[len(b):]
	copy(c, b)
	return c
}

// blockOf reads a row of the sync table. A value that is out of all bounds is an error; the block's number is right all
// the same, if it can be read.
func blockOf(row [][]byte, s *slab) (b Block, err error) {
	if len(row) != blockColumnCount {
		return b, fmt.Errorf("%d columns, want %d", len(row), blockColumnCount)
	}
	for i, size := range [blockColumnCount]int{8, 4, 8, 8, 8, -1, -1, 4, 8, -1} {
		if row[i] == nil || size >= 0 && len(row[i]) != size {
			err = errors.Join(err, fmt.Errorf("column %d is null, or not what it should be", i+1))
			if i == 0 {
				return b, err
			}
		}
	}
	b.Seq = int64(binary.BigEndian.Uint64(row[0]))
	if err != nil {
		return b, err
	}
	b.Epoch = int32(binary.BigEndian.Uint32(row[1]))
	xid := binary.BigEndian.Uint64(row[2])
	if xid > math.MaxUint32 {
		return b, fmt.Errorf("xid %d is out of range", int64(xid))
	}
	b.XID = uint32(xid)
	b.LSN = change.LSN(binary.BigEndian.Uint64(row[3]))
	micros := int64(binary.BigEndian.Uint64(row[4]))
	if micros == math.MaxInt64 || micros == math.MinInt64 {
		return b, errors.New("commit_time is infinite")
	}
	b.Commit = change.TimeOf(micros)
	if b.Model, err = change.ParseChecksum(row[5]); err != nil {
		return b, fmt.Errorf("model: %w", err)
	}
	if b.Checksum, err = change.ParseChecksum(row[6]); err != nil {
		return b, err
	}
	b.Parts = int32(binary.BigEndian.Uint32(row[7]))
	b.Bytes = int64(binary.BigEndian.Uint64(row[8]))
	b.Payload = s.copy(row[9])
	return b, nil
}
