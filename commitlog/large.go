package commitlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/pgbridge/pgbridge/change"
)

// Large is a large block while it is being made: who applies blocks in the process of its writer reads its parts before the sync table
// has all of them. They wait in an unnamed temporary file, so neither the writer nor one reader waits for another. What it says is
// certain only when it is made: then it is what the log has, or will have when it is made again. It is safe for concurrent use.
type Large struct {
	base *change.Model // in force before

	mu      sync.Mutex
	block   Block           // what is known of it: Parts, Bytes, Model, Checksum and Payload only when it is made
	parts                   // as they are stored
	models  []*change.Model // see Models
	evolves bool            // there are more
	made    bool
	failed  error
	writing bool          // its writer has not called finish
	users   int           // of the file: the writer and the readers
	changed chan struct{} // closed with the next part, or the end
}

// ErrUnmade says that a large block can not be had while it is being made: it was not made after all, or its parts are lost. It can be had
// when it is stored.
var ErrUnmade = errors.New("the large block can not be had before it is stored")

// grow begins a large block behind base, of which not all is known; its writer ends it with finish. It is nil if there is no room for a
// temporary file: then who applies the block waits for the sync table.
func (t *Tail) grow(b Block, base *change.Model) *Large {
	if t == nil {
		return nil
	}
	l := &Large{base: base, block: b, writing: true, users: 1, changed: make(chan struct{})}
	if err := l.open(); err != nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.large = l
	t.tell()
	return l
}

// Large is the block seq while it is being made; nil: it is not. Who has got it calls Close when it is not needed any more.
func (t *Tail) Large(seq int64) *Large {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.large == nil || !t.large.take(seq) {
		return nil
	}
	return t.large
}

// take takes the file for a reader, if it is there and of block seq.
func (l *Large) take(seq int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.block.Seq != seq || l.users == 0 || l.failed != nil {
		return false
	}
	l.users++
	return true
}

// Close is called once by each who has got it.
func (l *Large) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.release()
}

// release frees the file behind its last user; mu is held.
func (l *Large) release() {
	if l.users--; l.users == 0 {
		l.close()
		l.block, l.ends, l.models, l.base = Block{}, nil, nil, nil
	}
}

// add adds a part, packed as it is stored. models are all that have come into force by its end.
func (l *Large) add(part []byte, models []*change.Model) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return
	}
	for len(l.models) < len(models) && !l.evolves {
		if m := models[len(l.models)]; m.SameSchema(l.base) {
			l.models = append(l.models, m)
		} else {
			l.evolves = true
		}
	}
	if err := l.parts.add(part); err != nil {
		// The block itself can do without.
		l.fail(fmt.Errorf("write a large block to a temporary file in %s: %w", os.TempDir(), err))
		return
	}
	l.tell()
}

// finish says that the block is made, or why not; its writer does not need it any more. Only the first call counts.
func (l *Large) finish(b *Block, err error) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.writing {
		return
	}
	l.writing = false
	if b != nil {
		l.block, l.made = *b, true
		l.tell()
	} else {
		l.fail(err)
	}
	l.release()
}

// fail has nobody read the block any more; mu is held.
func (l *Large) fail(err error) {
	if l.failed == nil {
		l.failed = fmt.Errorf("%w: %w", ErrUnmade, err)
	}
	l.tell()
}

// tell wakes who waits; mu is held.
func (l *Large) tell() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Block is what is known of the block; all of it when Part has said that there are no more.
func (l *Large) Block() Block {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.block
}

// Models are the models that have come into force in the parts so far, before the first that changes the schema: those describe no more
// than the columns of rows. The sync table does not have them yet, and it is the only one who has the others.
func (l *Large) Models() []*change.Model {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.models[:len(l.models):len(l.models)]
}

// Part waits for part n, from 0 on, and reads it as it is stored; there is none when the block is made and has no more. It fails with
// ErrUnmade when the block is not made after all.
func (l *Large) Part(ctx context.Context, n int) (part []byte, there bool, err error) {
	for {
		l.mu.Lock()
		changed, failed, made, stored := l.changed, l.failed, l.made, l.part(n)
		l.mu.Unlock()
		switch {
		case failed != nil:
			return nil, false, failed
		case stored != nil:
			if part, err = readPart(stored); err != nil {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.fail(fmt.Errorf("read back part %d of a large block: %w", n, err))
				return nil, false, l.failed
			}
			return part, true, nil
		case made:
			return nil, false, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}
