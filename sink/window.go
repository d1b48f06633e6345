package sink

import (
	"context"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
)

// Block is a verified block with its content. Large blocks have no content here.
type Block struct {
	commitlog.Block
	Content []byte
}

// Window is a run of adjacent blocks that is applied in one transaction.
type Window struct {
	Before change.Position // what the first block is chained to
	Model  change.Checksum // in force before the first block
	Blocks []Block

	// Parts is set for a window of one large block: it calls f with the content in
	// parts and returns nil only if the whole block was verified. It can be called once.
	Parts func(ctx context.Context, f func(content []byte) error) error
	// Growing says that the block is still being made, and may not become what its parts look like. Blocks[0] has
	// number, transaction, LSN and time; the rest is there when Parts has returned. Nothing may be done for the block but
	// what is undone with the transaction that applies it.
	Growing bool
	// StoredParts gives the parts 1… as they are stored while Parts runs, for the
	// replica's own log; set it before calling Parts.
	StoredParts func(part int32, stored []byte) error
}

// ChangesOfModel is how often the model changes from block to block.
func (w *Window) ChangesOfModel() (n int) {
	before := w.Model
	for i := range w.Blocks {
		if w.Blocks[i].Model != before {
			n++
			before = w.Blocks[i].Model
		}
	}
	return n
}

// After is the position behind the window.
func (w *Window) After() change.Position { return w.Blocks[len(w.Blocks)-1].Position() }

// Split cuts a window of several blocks in two; the second begins with block seq.
func (w *Window) Split(seq int64) (first, rest *Window) {
	n := int(seq - w.Blocks[0].Seq)
	first = &Window{Before: w.Before, Model: w.Model, Blocks: w.Blocks[:n]}
	return first, &Window{Before: first.After(), Model: w.Blocks[n-1].Model, Blocks: w.Blocks[n:]}
}

// Models finds a model of the log by its checksum. It is safe for concurrent use.
type Models interface {
	Model(ctx context.Context, sum change.Checksum) (*change.Model, error)
}

// Limits bound a window.
type Limits struct {
	Blocks int
	Bytes  int64
}
