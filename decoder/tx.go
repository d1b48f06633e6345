package decoder

import (
	"time"

	"github.com/pgbridge/pgbridge/change"
)

// Early takes the inserts that a large transaction begins with, before it is known whether it commits. One goroutine calls it.
type Early interface {
	Add(r *change.Relation, row change.Tuple) // the row is valid during the call
	End()                                     // something else comes: there are no more
	Cancel(reason string)                     // what was added is not, or not all, of a transaction that has committed
	Committed()                               // it has, and is given out next: it is too late to begin with its rows
	Leave(end change.LSN)                     // the transaction has ended, at end if it has committed, or will not; called once
}

// Tx is one committed transaction.
type Tx struct {
	XID    uint32     // top-level transaction ID, without the epoch
	LSN    change.LSN // end of the commit record
	Commit time.Time  // microseconds, UTC

	// Behind is how long after the commit the server sent it, by the server's clock.
	Behind time.Duration

	// Content is the whole encoded content of a small transaction; the receiver
	// may keep it. A large one has none and is read with Parts.
	Content []byte
	Large   bool

	// Model is the model in force at the end, Models the ones that came into
	// force in this transaction. For a large transaction they are set when Parts
	// has returned; Models has those of a part already while Parts gives it.
	Model  *change.Model
	Models []*change.Model
	// Changes is what they change, with Models.
	Changes change.Changes

	// With Models:
	doubt  bool               // some of the master's own messages may have been rolled back
	unsure []*change.Relation // there are rows of these, for the first time since the schema of the tables has changed

	parts func(func(part []byte) error) error
}

// Parts calls f with the content in parts, cut at the first end of a change at
// or behind PartSize, so that equal content is cut alike. The bytes are valid
// during the call. A large transaction is read once, before the emit that
// brought it returns.
func (t *Tx) Parts(f func(part []byte) error) error {
	if t.parts != nil {
		return t.parts(f)
	}
	return f(t.Content)
}
