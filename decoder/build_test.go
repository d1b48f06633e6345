package decoder

import (
	"encoding/binary"

	"github.com/pgbridge/pgbridge/change"
)

// build makes pgoutput messages. Between stream start and stop, sub is the xid that
// stands in them; else it is 0.
type build struct{ sub uint32 }

func (m build) start(kind byte) []byte {
	if m.sub != 0 {
		return binary.BigEndian.AppendUint32([]byte{kind}, m.sub)
	}
	return []byte{kind}
}

func (build) begin(xid uint32) []byte {
	return binary.BigEndian.AppendUint32(append([]byte{msgBegin}, make([]byte, 16)...), xid)
}

func ends(b []byte, end change.LSN) []byte {
	b = append(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(end)-8)
	b = binary.BigEndian.AppendUint64(b, uint64(end))
	return binary.BigEndian.AppendUint64(b, 1_000_000*uint64(end)) // as many seconds as bytes
}

func (build) commit(end change.LSN) []byte { return ends([]byte{msgCommit}, end) }

func (build) streamStart(xid uint32) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{msgStreamStart}, xid), 1)
}

func (build) streamStop() []byte { return []byte{msgStreamStop} }

func (build) streamCommit(xid uint32, end change.LSN) []byte {
	return ends(binary.BigEndian.AppendUint32([]byte{msgStreamCommit}, xid), end)
}

func (build) streamAbort(xid, sub uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{msgStreamAbort}, xid), sub)
}

func (m build) relation(r *change.Relation) []byte {
	b := binary.BigEndian.AppendUint32(m.start(msgRelation), r.OID)
	b = append(append(append(b, r.Schema...), 0), r.Name...)
	b = append(b, 0, r.Identity[0])
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Columns)))
	for _, c := range r.Columns {
		if c.Key {
			b = append(b, 1)
		} else {
			b = append(b, 0)
		}
		b = append(append(b, c.Name...), 0)
		b = binary.BigEndian.AppendUint32(b, c.Type)
		b = binary.BigEndian.AppendUint32(b, uint32(c.Typmod))
	}
	return b
}

func tuple(b []byte, kind byte, row change.Tuple) []byte {
	b = binary.BigEndian.AppendUint16(append(b, kind), uint16(len(row)))
	for _, v := range row {
		switch v.Kind {
		case change.Null:
			b = append(b, 'n')
		case change.Unchanged:
			b = append(b, 'u')
		case change.Text, change.Binary:
			b = append(b, "tb"[v.Kind-change.Text])
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(v.Data))), v.Data...)
		}
	}
	return b
}

func (m build) insert(oid uint32, row change.Tuple) []byte {
	return tuple(binary.BigEndian.AppendUint32(m.start(msgInsert), oid), 'N', row)
}

func (m build) update(oid uint32, kind change.OldKind, old, row change.Tuple) []byte {
	b := binary.BigEndian.AppendUint32(m.start(msgUpdate), oid)
	if kind != change.OldNone {
		b = tuple(b, byte(kind), old)
	}
	return tuple(b, 'N', row)
}

func (m build) delete(oid uint32, kind change.OldKind, old change.Tuple) []byte {
	return tuple(binary.BigEndian.AppendUint32(m.start(msgDelete), oid), byte(kind), old)
}

func (m build) truncate(oids []uint32, options byte) []byte {
	b := binary.BigEndian.AppendUint32(m.start(msgTruncate), uint32(len(oids)))
	b = append(b, options)
	for _, oid := range oids {
		b = binary.BigEndian.AppendUint32(b, oid)
	}
	return b
}

func (m build) message(transactional bool, prefix, content string) []byte {
	b := m.start(msgMessage)
	if transactional {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = append(append(append(b, make([]byte, 8)...), prefix...), 0)
	return append(binary.BigEndian.AppendUint32(b, uint32(len(content))), content...)
}

func (m build) origin() []byte {
	return append(append([]byte{msgOrigin}, make([]byte, 8)...), "elsewhere\x00"...)
}

func (m build) typ() []byte {
	return append(binary.BigEndian.AppendUint32(m.start(msgType), 5000), "public\x00mood\x00"...)
}
