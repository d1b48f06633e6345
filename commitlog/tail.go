package commitlog

import (
	"math"
	"sync"
	"time"
)

// Tail keeps blocks in memory for a moment: those that are just being stored, and those that were just read for one
// replica, for the others that run in the same process. What is in it the sync table holds, or held, or will hold: who takes
// blocks from it verifies them like any. A nil Tail is always empty. It is safe for concurrent use.
type Tail struct {
	mu      sync.Mutex
	blocks  map[int64]Block
	order   []tailEntry // as they came
	bytes   int64
	readers map[*TailReader]bool
	passed  int64 // by all readers
	fed     bool
	last    int64         // the last block that was fed
	large   *Large        // the last one that was begun
	earlies []*Early      // transactions that are open on the master
	begun   chan struct{} // closed when there is another one; nil: nobody waits
	changed chan struct{} // closed when something changes; nil: nobody waits
}

type tailEntry struct {
	seq   int64
	bytes int64
	at    time.Time
}

const (
	tailAge   = 30 * time.Second // behind that, the log is read; replicas that can not keep up with a load are some seconds behind
	tailBytes = 12 << 20
	blockCost = 200 // bytes of memory for all but the payload
)

// TailReader is one for whom blocks are kept. A nil one is of no tail.
type TailReader struct {
	tail   *Tail
	passed int64
}

// Reader registers one that may want every block that there is, until it says what it has passed or is closed. What all readers have passed
// is forgotten, but not before what came to the tail earlier. They should be registered before the first one says so.
func (t *Tail) Reader() *TailReader {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.readers == nil {
		t.readers = map[*TailReader]bool{}
	}
	r := &TailReader{tail: t}
	t.readers[r] = true
	t.pass()
	return r
}

// Passed says that the reader wants only blocks behind block seq from now on; what it has said before does not hold any more.
func (r *TailReader) Passed(seq int64) {
	if r == nil {
		return
	}
	r.tail.mu.Lock()
	defer r.tail.mu.Unlock()
	r.passed = seq
	r.tail.pass()
	r.tail.expire(time.Now())
}

// Close says that the reader wants nothing any more.
func (r *TailReader) Close() {
	if r == nil {
		return
	}
	r.tail.mu.Lock()
	defer r.tail.mu.Unlock()
	delete(r.tail.readers, r)
	r.tail.pass()
}

// pass finds what all readers have passed; mu is held.
func (t *Tail) pass() {
	t.passed = 0
	if len(t.readers) > 0 {
		t.passed = math.MaxInt64
	}
	for r := range t.readers {
		t.passed = min(t.passed, r.passed)
	}
}

// Put adds blocks, whose bytes nobody changes any more. Large blocks are not kept.
func (t *Tail) Put(blocks []Block) {
	if t == nil || len(blocks) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.put(blocks)
}

// put is Put for who holds mu.
func (t *Tail) put(blocks []Block) {
	now := time.Now()
	t.expire(now)
	if t.blocks == nil {
		t.blocks = map[int64]Block{}
	}
	for _, b := range blocks {
		if _, known := t.blocks[b.Seq]; known || b.Parts > 1 || b.Seq <= t.passed {
			continue
		}
		size := int64(len(b.Payload)) + blockCost
		t.blocks[b.Seq] = b
		t.order = append(t.order, tailEntry{b.Seq, size, now})
		t.bytes += size
	}
	t.tell()
}

// Feed is Put by the log's writer: all blocks that there are come this way, until it ends with Starve.
func (t *Tail) Feed(b Block) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fed, t.last = true, b.Seq
	t.put([]Block{b})
}

// Starve says that new blocks do not come by Feed any more.
func (t *Tail) Starve() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fed = false
	t.tell()
}

// Fed says whether all new blocks come by Feed, and which was the last. If so, nobody needs to look for them or to be notified.
func (t *Tail) Fed() (fed bool, last int64) {
	if t == nil {
		return false, 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.fed, t.last
}

// tell wakes who waits for a change; mu is held.
func (t *Tail) tell() {
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// expire forgets what is old, or too much, or of use for nobody; mu is held.
func (t *Tail) expire(now time.Time) {
	n := 0
	for n < len(t.order) && (now.Sub(t.order[n].at) > tailAge || t.bytes > tailBytes || t.order[n].seq <= t.passed) {
		delete(t.blocks, t.order[n].seq)
		t.bytes -= t.order[n].bytes
		n++
	}
	t.order = t.order[n:]
}

// Behind returns the blocks behind block after, in order, as Read does, as far as they are in memory.
func (t *Tail) Behind(after int64, limit int, bytes int64) (blocks []Block) {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.expire(time.Now())
	for size := int64(0); len(blocks) < limit; after++ {
		b, ok := t.blocks[after+1]
		if size += int64(len(b.Payload)); !ok || size > bytes && len(blocks) > 0 {
			break
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// Clear forgets all of it.
func (t *Tail) Clear() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.blocks, t.order, t.bytes = nil, nil, 0
}

// Changed is closed when something was put behind this call, or it is not fed any more.
func (t *Tail) Changed() <-chan struct{} {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return t.changed
}
