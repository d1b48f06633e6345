package postgres

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/schema"
)

// Rows are copied in binary form where both servers are of the same major version and all columns of these types: a server writes and reads it in
// about 60% of the time that the text takes. The form of a value in other versions is PostgreSQL's own affair (an interval
// of PostgreSQL 17 can be infinite), and what a type of an extension or a user makes of it is theirs. See
// https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
var binaryTypes = []uint32{
	pgtype.BoolOID, pgtype.ByteaOID, pgtype.NameOID, pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.TextOID, pgtype.OIDOID,
	pgtype.JSONOID, pgtype.JSONBOID, pgtype.Float4OID, pgtype.Float8OID, pgtype.MacaddrOID, pgtype.Macaddr8OID, pgtype.InetOID, pgtype.CIDROID,
	pgtype.BPCharOID, pgtype.VarcharOID, pgtype.DateOID, pgtype.TimeOID, pgtype.TimetzOID, pgtype.TimestampOID, pgtype.TimestamptzOID,
	pgtype.IntervalOID, pgtype.BitOID, pgtype.VarbitOID, pgtype.NumericOID, pgtype.UUIDOID,

	pgtype.BoolArrayOID, pgtype.ByteaArrayOID, pgtype.NameArrayOID, pgtype.Int2ArrayOID, pgtype.Int4ArrayOID, pgtype.Int8ArrayOID,
	pgtype.TextArrayOID, pgtype.OIDArrayOID, pgtype.JSONArrayOID, pgtype.JSONBArrayOID, pgtype.Float4ArrayOID, pgtype.Float8ArrayOID,
	pgtype.MacaddrArrayOID, pgtype.InetArrayOID, pgtype.CIDRArrayOID, pgtype.BPCharArrayOID, pgtype.VarcharArrayOID,
	pgtype.DateArrayOID, pgtype.TimeArrayOID, pgtype.TimetzArrayOID, pgtype.TimestampArrayOID, pgtype.TimestamptzArrayOID, pgtype.IntervalArrayOID,
	pgtype.BitArrayOID, pgtype.VarbitArrayOID, pgtype.NumericArrayOID, pgtype.UUIDArrayOID,
}

// copyFormat is what is said of the form behind a COPY of the table's rows from one connection into a table of the other; nothing: text. Who
// has made the table on the replica may have given it other types, of which the text fits.
func copyFormat(ctx context.Context, tbl *schema.Table, from, to *pgx.Conn, into string) (string, error) {
	if !canBeBinary(tbl, major(from), major(to)) {
		return "", nil
	}
	var names []string
	var types []uint32
	for _, c := range copiedColumns(tbl) {
		names, types = append(names, c.Name), append(types, c.TypeOID)
	}
	var same int
	if err := to.QueryRow(ctx, `
		select count(*)
		from unnest($2::text[], $3::oid[]) as c (name, type)
		join pg_catalog.pg_attribute a on a.attname = c.name and a.atttypid = c.type
		where a.attrelid = pg_catalog.to_regclass($1) and a.attnum > 0 and not a.attisdropped`, into, names, types).Scan(&same); err != nil {
		return "", err
	}
	if same < len(names) {
		return "", nil
	}
	return " (format binary)", nil
}

// canBeBinary says whether the table's rows mean the same to servers of these versions in binary form.
func canBeBinary(tbl *schema.Table, from, to string) bool {
	return tbl != nil && from == to &&
		!slices.ContainsFunc(copiedColumns(tbl), func(c schema.Column) bool { return !slices.Contains(binaryTypes, c.TypeOID) })
}

// major is the server's version, without what its minor releases change.
func major(conn *pgx.Conn) string {
	version := conn.PgConn().ParameterStatus("server_version")
	if i := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		return version[:i]
	}
	return version
}

// binaryArray is an array of a column's values in binary form, which the server reads in two thirds of the time that the text takes; nil: they have to be text.
// It is made of integers, and of what is the same bytes in both forms. See array_recv in PostgreSQL's
// src/backend/utils/adt/arrayfuncs.c.
func binaryArray(rows []change.Tuple, column int, element uint32) []byte {
	if len(rows) == 0 {
		return nil
	}
	width := 0
	switch element {
	case pgtype.Int2OID:
		width = 2
	case pgtype.Int4OID:
		width = 4
	case pgtype.Int8OID:
		width = 8
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID:
	default:
		return nil
	}
	size := 20
	for _, row := range rows {
		size += 4 + max(width, len(row[column].Data))
	}
	b := make([]byte, 0, size)
	for _, n := range []uint32{1 /* dimension */, 0 /* there are no nulls */, element, uint32(len(rows)), 1 /* lower bound */} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	for _, row := range rows {
		v := &row[column]
		switch {
		case v.Kind != change.Text:
			b[7] = 1 // there are
			b = binary.BigEndian.AppendUint32(b, math.MaxUint32)
		case width == 0:
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(v.Data))), v.Data...)
		default:
			n, err := strconv.ParseInt(string(v.Data), 10, 8*width)
			if err != nil {
				return nil // the server says what is wrong with it
			}
			b = binary.BigEndian.AppendUint32(b, uint32(width))
			for shift := 8 * (width - 1); shift >= 0; shift -= 8 {
				b = append(b, byte(n>>shift))
			}
		}
	}
	return b
}
