package change

import "fmt"

// Op says what a Change does. The values are the bytes of the encoding.
type Op byte

const (
	Insert   Op = 'I'
	Update   Op = 'U'
	Delete   Op = 'D'
	Truncate Op = 'T'
	Evolve   Op = 'M' // from here on the changes are written under another model
	Rows     Op = 'R' // the table's rows changed without being in the log: they are to be copied
)

func (o Op) String() string {
	switch o {
	case Insert:
		return "insert"
	case Update:
		return "update"
	case Delete:
		return "delete"
	case Truncate:
		return "truncate"
	case Evolve:
		return "evolve"
	case Rows:
		return "rows"
	}
	return fmt.Sprintf("Op(%d)", byte(o))
}

// Kind says what a Value is.
type Kind byte

const (
	Null      Kind = iota
	Unchanged      // a TOASTed value that the update left as it was; it is not in the log
	Text           // the type's text output, with the settings that the tap pins
	Binary         // the type's binary output
)

// Value is one column's value. Data is nil unless Kind is Text or Binary.
type Value struct {
	Kind Kind
	Data []byte
}

// Tuple is a row in the order of its relation's columns.
type Tuple []Value

// OldKind says what the old row of an update or delete holds.
type OldKind byte

const (
	OldNone OldKind = 0   // an update that did not touch the replica identity
	OldKey  OldKind = 'K' // the replica identity's columns; the others are Null
	OldFull OldKind = 'O' // the whole row (REPLICA IDENTITY FULL)
)

// Change is one change of a transaction. Its values point into the buffer that
// it was read from, and its tuples are reused: copy what has to outlive the
// next call of Reader.Next.
type Change struct {
	Op       Op
	Relation uint32 // OID on the master; not for Truncate and Evolve
	Old      Tuple
	OldKind  OldKind
	New      Tuple

	Relations       []uint32 // Truncate
	Cascade         bool
	RestartIdentity bool

	Model Checksum // Evolve
	Why   Reason   // Rows
}
