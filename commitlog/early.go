package commitlog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"

	"github.com/pgbridge/pgbridge/change"
)

// Early is what a large transaction inserts before anything else, while it is still open on the master. Who applies blocks in the
// process of the tap can store the rows in a transaction of its own, and has less to do when the block comes. Nothing of it is certain: the
// block has to begin with the same inserts, or the rows are not its. They wait in an unnamed temporary file, so that nobody waits for another.
// It is safe for concurrent use; Add is for one goroutine.
type Early struct {
	XID  uint32
	tail *Tail
	buf  []byte // rows that are gathered

	mu        sync.Mutex
	parts     // of rows
	relations map[uint32]*change.Relation
	over      bool       // there are no more rows
	gone      error      // why it is not to be applied
	end       change.LSN // where it has committed; 0: it has not
	users     int        // of the file: the decoder, until it is over, and the readers
	changed   chan struct{}
}

// ErrGone says that rows are not to be applied early: the transaction or a part of it was rolled back, or it can not be read.
var ErrGone = errors.New("not to be applied early")

// earlyPart is how many bytes of rows are written at a time.
const earlyPart = 64 << 10

// earlyRow is how large a row can be that is taken; it is in memory besides the message that brought it.
const earlyRow = 1 << 20

// Early begins a transaction; nil if there is nobody to read it.
func (t *Tail) Early(xid uint32) *Early {
	if t == nil {
		return nil
	}
	e := &Early{XID: xid, tail: t, relations: map[uint32]*change.Relation{}, users: 1, changed: make(chan struct{})}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.earlies = append(t.earlies, e)
	if t.begun != nil {
		close(t.begun)
		t.begun = nil
	}
	return e
}

// Begun is closed when another transaction has begun to come early, or if there are some.
func (t *Tail) Begun() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.earlies) > 0 {
		there := make(chan struct{})
		close(there)
		return there
	}
	if t.begun == nil {
		t.begun = make(chan struct{})
	}
	return t.begun
}

// LargestEarly gives a reader the open transaction with the most rows that has at least so many bytes of them, but none of
// those that are passed over; nil: there is none. Who has got it calls Close when it is not needed any more.
func (t *Tail) LargestEarly(atLeast int64, but map[uint32]bool) *Early {
	t.mu.Lock()
	defer t.mu.Unlock()
	var largest *Early
	size := atLeast - 1
	for _, e := range t.earlies {
		if n := e.size(); n > size && !but[e.XID] {
			largest, size = e, n
		}
	}
	if largest != nil {
		largest.mu.Lock()
		largest.users++
		largest.mu.Unlock()
	}
	return largest
}

// size is how many bytes of rows there are, -1 if they are not to be applied.
func (e *Early) size() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone != nil || e.users == 0 {
		return -1
	}
	return e.parts.size()
}

// Add adds an insert.
func (e *Early) Add(r *change.Relation, row change.Tuple) {
	if e == nil || e.over || e.gone != nil {
		return
	}
	size := 0
	for i := range row {
		size += len(row[i].Data)
	}
	if size > earlyRow {
		e.End()
		return
	}
	if known := e.relations[r.OID]; known != r {
		if known != nil { // it has changed within the transaction
			e.End()
			return
		}
		e.mu.Lock()
		e.relations = maps.Clone(e.relations)
		e.relations[r.OID] = r
		e.mu.Unlock()
	}
	if e.buf = change.AppendInsert(e.buf, r.OID, row); len(e.buf) >= earlyPart {
		e.flush()
	}
}

func (e *Early) flush() {
	if len(e.buf) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.add(e.buf); err != nil {
		e.give(fmt.Errorf("write rows to a temporary file in %s: %w", os.TempDir(), err))
		return
	}
	e.buf = e.buf[:0]
	e.tell()
}

// End says that there are no more rows that can be applied early.
func (e *Early) End() {
	if e == nil || e.over {
		return
	}
	e.flush()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	e.tell()
}

// Cancel says that the rows are not to be applied. It can be called again, and behind End.
func (e *Early) Cancel(reason string) {
	if e == nil {
		return
	}
	e.mu.Lock()
	e.give(errors.New(reason))
	e.mu.Unlock()
}

// Committed says that the block is about to be made: who reads the rows now still may, others find them no more.
func (e *Early) Committed() {
	if e == nil {
		return
	}
	e.tail.forget(e)
	e.End()
}

// Leave is called once, by the decoder, when the transaction has ended, at end if it has committed: who reads it now still may, others find it no more.
func (e *Early) Leave(end change.LSN) {
	if e == nil {
		return
	}
	e.tail.forget(e)
	e.mu.Lock()
	e.end = end
	e.mu.Unlock()
	e.End()
	e.Close()
}

// Close is called once by each who has got it.
func (e *Early) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.users--; e.users == 0 {
		e.close()
	}
}

func (t *Tail) forget(e *Early) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.earlies {
		if t.earlies[i] == e {
			t.earlies = append(t.earlies[:i:i], t.earlies[i+1:]...)
			return
		}
	}
}

// give up; mu is held.
func (e *Early) give(err error) {
	if e.gone == nil {
		e.gone = fmt.Errorf("%w: %w", ErrGone, err)
		e.tell()
	}
}

// tell wakes who waits; mu is held.
func (e *Early) tell() {
	close(e.changed)
	e.changed = make(chan struct{})
}

// Part waits for part n, from 0 on; there is none when the rows are over. It is content as a block's, of inserts. relations are those that it is of.
func (e *Early) Part(ctx context.Context, n int) (part []byte, relations map[uint32]*change.Relation, there bool, err error) {
	for {
		e.mu.Lock()
		changed, gone, over, rows := e.changed, e.gone, e.over, e.part(n)
		relations = e.relations
		e.mu.Unlock()
		switch {
		case gone != nil:
			return nil, nil, false, gone
		case rows != nil:
			if part, err = readPart(rows); err != nil {
				return nil, nil, false, fmt.Errorf("%w: read back rows: %w", ErrGone, err)
			}
			return part, relations, true, nil
		case over:
			return nil, nil, false, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil, false, context.Cause(ctx)
		}
	}
}

// Changed is closed when something changes; gone says why the rows are not to be applied, as far as is known by now.
func (e *Early) Changed() (changed <-chan struct{}, gone error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed, e.gone
}

// Passed says whether the transaction has committed at or before that place of the log.
func (e *Early) Passed(at change.LSN) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.end != 0 && e.end <= at
}
