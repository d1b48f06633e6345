package decoder

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pgbridge/pgbridge/change"
)

// The messages of pgoutput, protocol version 2, by their first byte.
// See https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
const (
	msgBegin        = 'B'
	msgCommit       = 'C'
	msgOrigin       = 'O'
	msgRelation     = 'R'
	msgType         = 'Y'
	msgInsert       = 'I'
	msgUpdate       = 'U'
	msgDelete       = 'D'
	msgTruncate     = 'T'
	msgMessage      = 'M'
	msgStreamStart  = 'S'
	msgStreamStop   = 'E'
	msgStreamCommit = 'c'
	msgStreamAbort  = 'A'
)

// message is one parsed message. Only the fields of its kind are set. Values
// point into the bytes it was parsed from; tuples are reused by the next parse.
type message struct {
	kind byte

	xid    uint32 // begin, stream start/commit/abort; in a stream: the subtransaction of the change
	subxid uint32 // stream abort
	lsn    change.LSN
	end    change.LSN // commit, stream commit: end of the commit record
	micros int64      // begin, commit, stream commit: commit time, microseconds since 2000-01-01 UTC

	relation *change.Relation // relation
	oid      uint32           // insert, update, delete
	oldKind  change.OldKind
	old, new change.Tuple

	oids    []uint32 // truncate
	options byte

	prefix        string // logical message
	transactional bool
	content       []byte
}

// parse reads one message. streamed says that it stands between stream start and
// stream stop, where changes carry the xid of their subtransaction. Every length
// is checked against what is there; bytes left over are an error.
func (m *message) parse(b []byte, streamed bool) error {
	if len(b) == 0 {
		return errors.New("empty pgoutput message")
	}
	r := cursor{b: b[1:]}
	m.kind = b[0]
	switch m.kind {
	case msgRelation, msgType, msgInsert, msgUpdate, msgDelete, msgTruncate, msgMessage:
		m.xid = 0
		if streamed {
			m.xid = r.uint32()
		}
	}
	switch m.kind {
	case msgBegin:
		m.lsn, m.micros, m.xid = change.LSN(r.uint64()), int64(r.uint64()), r.uint32()
	case msgCommit:
		r.byte() // flags, none are defined
		m.lsn, m.end, m.micros = change.LSN(r.uint64()), change.LSN(r.uint64()), int64(r.uint64())
	case msgOrigin:
		r.uint64()
		r.string()
	case msgRelation:
		m.relation = r.relation()
	case msgType:
		r.uint32()
		r.string()
		r.string()
	case msgInsert:
		m.oid = r.uint32()
		if c := r.byte(); c != 'N' {
			r.fail("unknown row kind %q in an insert", c)
		}
		m.new = r.tuple(m.new[:0], false)
	case msgUpdate:
		m.oid = r.uint32()
		m.oldKind = change.OldNone
		c := r.byte()
		if c == 'K' || c == 'O' {
			m.oldKind = change.OldKind(c)
			m.old = r.tuple(m.old[:0], false)
			c = r.byte()
		}
		if c != 'N' {
			r.fail("unknown row kind %q in an update", c)
		}
		m.new = r.tuple(m.new[:0], true)
	case msgDelete:
		m.oid = r.uint32()
		c := r.byte()
		if c != 'K' && c != 'O' {
			r.fail("unknown row kind %q in a delete", c)
		}
		m.oldKind = change.OldKind(c)
		m.old = r.tuple(m.old[:0], false)
	case msgTruncate:
		n := r.uint32()
		m.options = r.byte()
		if m.options > 3 {
			r.fail("unknown truncate options %#x", m.options)
		}
		if n == 0 || uint64(n)*4 != uint64(len(r.b)) {
			r.fail("truncate of %d relations in %d bytes", n, len(r.b))
			n = 0
		}
		m.oids = m.oids[:0]
		for range n {
			m.oids = append(m.oids, r.uint32())
		}
	case msgMessage:
		flags := r.byte()
		if flags > 1 {
			r.fail("unknown message flags %#x", flags)
		}
		m.transactional = flags == 1
		m.lsn = change.LSN(r.uint64())
		m.prefix = r.string()
		m.content = r.bytes(int(r.uint32()))
	case msgStreamStart:
		m.xid = r.uint32()
		if c := r.byte(); c > 1 {
			r.fail("unknown stream segment flag %#x", c)
		}
	case msgStreamStop:
	case msgStreamCommit:
		m.xid = r.uint32()
		r.byte()
		m.lsn, m.end, m.micros = change.LSN(r.uint64()), change.LSN(r.uint64()), int64(r.uint64())
	case msgStreamAbort:
		m.xid, m.subxid = r.uint32(), r.uint32()
	default:
		return fmt.Errorf("unknown pgoutput message %q", m.kind)
	}
	if r.err == nil && len(r.b) > 0 {
		r.fail("%d bytes too many", len(r.b))
	}
	if r.err != nil {
		return fmt.Errorf("pgoutput message %q: %w", m.kind, r.err)
	}
	return nil
}

var errShort = errors.New("message is truncated")

// cursor reads big-endian fields; after the first error it gives zeros.
type cursor struct {
	b   []byte
	err error
}

func (r *cursor) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
	r.b = nil
}

func (r *cursor) bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		if r.err == nil {
			r.err = errShort
		}
		r.b = nil
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *cursor) byte() byte {
	if v := r.bytes(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *cursor) uint16() uint16 {
	if v := r.bytes(2); v != nil {
		return binary.BigEndian.Uint16(v)
	}
	return 0
}

func (r *cursor) uint32() uint32 {
	if v := r.bytes(4); v != nil {
		return binary.BigEndian.Uint32(v)
	}
	return 0
}

func (r *cursor) uint64() uint64 {
	if v := r.bytes(8); v != nil {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

// string reads up to a zero byte.
func (r *cursor) string() string {
	for i, c := range r.b {
		if c == 0 {
			s := string(r.b[:i])
			r.b = r.b[i+1:]
			return s
		}
	}
	r.bytes(len(r.b) + 1)
	return ""
}

func (r *cursor) relation() *change.Relation {
	rel := &change.Relation{OID: r.uint32(), Schema: r.string(), Name: r.string()}
	if rel.Schema == "" {
		rel.Schema = "pg_catalog" // pgoutput sends an empty name for it
	}
	identity := r.byte()
	switch identity {
	case 'd', 'n', 'f', 'i':
		rel.Identity = string(identity)
	default:
		r.fail("unknown replica identity %q", identity)
	}
	n := int(r.uint16())
	if n > change.MaxColumns {
		r.fail("relation of %d columns", n)
	}
	if n > len(r.b) { // every column takes several bytes
		r.bytes(n)
		return nil
	}
	rel.Columns = make([]change.Column, n)
	for i := range rel.Columns {
		flags := r.byte()
		if flags > 1 {
			r.fail("unknown column flags %#x", flags)
		}
		rel.Columns[i] = change.Column{Key: flags == 1, Name: r.string(), Type: r.uint32(), Typmod: int32(r.uint32())}
	}
	return rel
}

// tuple reads a row; only the new row of an update has unchanged values.
func (r *cursor) tuple(t change.Tuple, unchanged bool) change.Tuple {
	n := int(r.uint16())
	for range n {
		switch kind := r.byte(); kind {
		case 'n':
			t = append(t, change.Value{Kind: change.Null})
		case 'u':
			if !unchanged {
				r.fail("unchanged value outside the new row of an update")
			}
			t = append(t, change.Value{Kind: change.Unchanged})
		case 't', 'b':
			v := change.Value{Kind: change.Text}
			if kind == 'b' {
				v.Kind = change.Binary
			}
			v.Data = r.bytes(int(int32(r.uint32())))
			t = append(t, v)
		default:
			if r.err == nil {
				r.fail("unknown column kind %q", kind)
			}
			return t
		}
	}
	return t
}
