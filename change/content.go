package change

import (
	"encoding/binary"
	"fmt"
)

// MaxColumns bounds a tuple; PostgreSQL's own limit is 1600 columns a table.
const MaxColumns = 1664

// AppendInsert encodes an insert of row into the relation.
func AppendInsert(b []byte, relation uint32, row Tuple) []byte {
	b = append(b, byte(Insert))
	b = binary.AppendUvarint(b, uint64(relation))
	return appendTuple(b, row)
}

// AppendUpdate encodes an update; old is left out when kind is OldNone.
func AppendUpdate(b []byte, relation uint32, kind OldKind, old, row Tuple) []byte {
	b = append(b, byte(Update))
	b = binary.AppendUvarint(b, uint64(relation))
	b = append(b, byte(kind))
	if kind != OldNone {
		b = appendTuple(b, old)
	}
	return appendTuple(b, row)
}

// AppendDelete encodes a delete; kind is OldKey or OldFull.
func AppendDelete(b []byte, relation uint32, kind OldKind, old Tuple) []byte {
	b = append(b, byte(Delete))
	b = binary.AppendUvarint(b, uint64(relation))
	b = append(b, byte(kind))
	return appendTuple(b, old)
}

const (
	truncateCascade = 1 << iota
	truncateRestartIdentity
)

// AppendTruncate encodes a truncate of all the relations in one statement.
func AppendTruncate(b []byte, relations []uint32, cascade, restartIdentity bool) []byte {
	var flags byte
	if cascade {
		flags |= truncateCascade
	}
	if restartIdentity {
		flags |= truncateRestartIdentity
	}
	b = append(b, byte(Truncate), flags)
	b = binary.AppendUvarint(b, uint64(len(relations)))
	for _, oid := range relations {
		b = binary.AppendUvarint(b, uint64(oid))
	}
	return b
}

// AppendEvolve encodes that the following changes are written under the model.
func AppendEvolve(b []byte, model Checksum) []byte {
	return append(append(b, byte(Evolve)), model[:]...)
}

// AppendRows encodes that the rows of the relation have changed, and that the log does not
// hold how.
func AppendRows(b []byte, relation uint32, why Reason) []byte {
	b = append(b, byte(Rows))
	b = binary.AppendUvarint(b, uint64(relation))
	return append(b, byte(why))
}

// A value starts with a uvarint: 0 null, 1 unchanged, else 2 + length*2 + (1 if binary).
func appendTuple(b []byte, t Tuple) []byte {
	b = binary.AppendUvarint(b, uint64(len(t)))
	for i := range t {
		v := &t[i]
		switch v.Kind {
		case Null:
			b = append(b, 0)
		case Unchanged:
			b = append(b, 1)
		case Text:
			b = binary.AppendUvarint(b, 2+uint64(len(v.Data))<<1)
			b = append(b, v.Data...)
		case Binary:
			b = binary.AppendUvarint(b, 2+uint64(len(v.Data))<<1|1)
			b = append(b, v.Data...)
		}
	}
	return b
}

// Reader reads the changes of encoded content. The zero Reader is empty.
type Reader struct {
	buf []byte
	at  int
}

// NewReader reads content, which must not change while changes of it are in use.
func NewReader(content []byte) *Reader { return &Reader{buf: content} }

// At is how many bytes have been read.
func (r *Reader) At() int { return r.at }

// Next reads the next change into c and says whether there was one. The error
// names the byte at which the content is broken.
func (r *Reader) Next(c *Change) (bool, error) {
	if r.at == len(r.buf) {
		return false, nil
	}
	start := r.at
	if err := r.next(c); err != nil {
		return false, fmt.Errorf("content at byte %d: %w", start, err)
	}
	return true, nil
}

func (r *Reader) next(c *Change) (err error) {
	c.Op = Op(r.buf[r.at])
	r.at++
	c.OldKind = OldNone
	switch c.Op {
	case Insert:
		if c.Relation, err = r.oid(); err != nil {
			return err
		}
		c.New, err = r.tuple(c.New, false)
		return err
	case Update, Delete:
		if c.Relation, err = r.oid(); err != nil {
			return err
		}
		kind, err := r.byte()
		if err != nil {
			return err
		}
		c.OldKind = OldKind(kind)
		switch {
		case c.OldKind == OldKey || c.OldKind == OldFull:
			if c.Old, err = r.tuple(c.Old, false); err != nil {
				return err
			}
		case c.OldKind != OldNone || c.Op == Delete:
			return fmt.Errorf("unknown kind %#x of an old row", kind)
		}
		if c.Op == Update {
			c.New, err = r.tuple(c.New, true)
		}
		return err
	case Truncate:
		flags, err := r.byte()
		if err != nil {
			return err
		}
		if flags&^(truncateCascade|truncateRestartIdentity) != 0 {
			return fmt.Errorf("unknown truncate flags %#x", flags)
		}
		c.Cascade = flags&truncateCascade != 0
		c.RestartIdentity = flags&truncateRestartIdentity != 0
		n, err := r.uvarint()
		if err != nil {
			return err
		}
		if n == 0 || n > uint64(len(r.buf)-r.at) {
			return fmt.Errorf("truncate of %d relations", n)
		}
		c.Relations = c.Relations[:0]
		for range n {
			oid, err := r.oid()
			if err != nil {
				return err
			}
			c.Relations = append(c.Relations, oid)
		}
		return nil
	case Evolve:
		if len(r.buf)-r.at < len(c.Model) {
			return errTruncated
		}
		copy(c.Model[:], r.buf[r.at:])
		r.at += len(c.Model)
		return nil
	case Rows:
		if c.Relation, err = r.oid(); err != nil {
			return err
		}
		why, err := r.byte()
		if err != nil {
			return err
		}
		if c.Why = Reason(why); !c.Why.known() {
			return fmt.Errorf("unknown reason %#x for a change of rows", why)
		}
		return nil
	}
	return fmt.Errorf("unknown operation %#x", byte(c.Op))
}

var errTruncated = fmt.Errorf("content ends inside a change")

func (r *Reader) byte() (byte, error) {
	if r.at == len(r.buf) {
		return 0, errTruncated
	}
	r.at++
	return r.buf[r.at-1], nil
}

func (r *Reader) uvarint() (uint64, error) {
	// Most numbers are below 128: this path is taken once a value.
	if r.at < len(r.buf) && r.buf[r.at] < 0x80 {
		r.at++
		return uint64(r.buf[r.at-1]), nil
	}
	v, n := binary.Uvarint(r.buf[r.at:])
	switch {
	case n == 0:
		return 0, errTruncated
	case n < 0:
		return 0, fmt.Errorf("number of more than 64 bits")
	case r.buf[r.at+n-1] == 0:
		return 0, fmt.Errorf("number is not in its shortest form") // or two contents would mean the same
	}
	r.at += n
	return v, nil
}

func (r *Reader) oid() (uint32, error) {
	v, err := r.uvarint()
	if err == nil && v > 1<<32-1 {
		err = fmt.Errorf("OID %d is out of range", v)
	}
	return uint32(v), err
}

// tuple reads a row; only the new row of an update has unchanged values.
func (r *Reader) tuple(t Tuple, unchanged bool) (Tuple, error) {
	n, err := r.uvarint()
	if err != nil {
		return t, err
	}
	if n > MaxColumns || n > uint64(len(r.buf)-r.at) {
		return t, fmt.Errorf("row of %d columns", n)
	}
	t = t[:0]
	for range n {
		h, err := r.uvarint()
		if err != nil {
			return t, err
		}
		switch h {
		case 0:
			t = append(t, Value{Kind: Null})
		case 1:
			if !unchanged {
				return t, fmt.Errorf("unchanged value outside the new row of an update")
			}
			t = append(t, Value{Kind: Unchanged})
		default:
			kind, size := Text, (h-2)>>1
			if (h-2)&1 == 1 {
				kind = Binary
			}
			if size > uint64(len(r.buf)-r.at) {
				return t, fmt.Errorf("value of %d bytes where %d are left", size, len(r.buf)-r.at)
			}
			t = append(t, Value{kind, r.buf[r.at : r.at+int(size) : r.at+int(size)]})
			r.at += int(size)
		}
	}
	return t, nil
}
