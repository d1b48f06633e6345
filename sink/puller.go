package sink

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
)

// pollEvery is how often the log is looked at without having been told.
const pollEvery = 5 * time.Second

// puller reads the log ahead of the applier. It owns its connection to the master.
type puller struct {
	conn   *pgx.Conn
	limits Limits
	model  change.Checksum // in force at the verifier's position
	verify *commitlog.Verifier
	tail   *commitlog.Tail
	models *modelCache
	stored int64         // the block that is taken from the log only, not while it is being made
	idle   chan struct{} // gets something, of capacity 1, when all that there is was sent

	notified bool         // the server notifies of blocks
	ears     *ears        // listen whenever the connection is not used otherwise; nil: they do not
	seen     atomic.Int64 // the verifier's position, for the ears
}

// run sends windows to out, in order, until ctx ends or something is wrong.
func (p *puller) run(ctx context.Context, out chan<- *Window) error {
	defer p.quiet()
	look := true // at the log, whatever the tail says
	for ctx.Err() == nil {
		at := p.verify.Position().Seq
		p.seen.Store(at)
		changed := p.tail.Changed()
		fed, last := p.tail.Fed()
		if blocks := p.tail.Behind(at, p.limits.Blocks, p.limits.Bytes); len(blocks) > 0 {
			// What notifies of them must not pile up in the server.
			p.listen(ctx)
			err := p.send(ctx, blocks, changed, out)
			var corrupt *commitlog.CorruptError
			switch {
			case errors.As(err, &corrupt):
				p.tail.Clear() // the log may say something else by now
				look = true
			case err != nil:
				return err
			}
			continue
		}
		if large := p.growing(at + 1); large != nil {
			p.listen(ctx)
			err := p.sendLarge(ctx, large.Block(), large, out)
			large.Close()
			if err != nil {
				return err
			}
			continue
		}
		if look || !fed || last > at {
			look = false
			more, err := p.read(ctx, fed, out)
			if err != nil {
				return err
			}
			if more {
				continue
			}
		}
		select {
		case p.idle <- struct{}{}:
		default:
		}
		p.listen(ctx)
		select {
		case <-changed:
		case <-p.ears.heard:
		case <-time.After(pollEvery):
			look = true
		case <-p.ears.ended:
			look = true
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}

// growing is the block seq if it is being made in this process.
func (p *puller) growing(seq int64) *commitlog.Large {
	if seq == p.stored {
		return nil
	}
	return p.tail.Large(seq)
}

// read sends what there is in the log, and says whether there may be more. Else it will be notified of blocks, unless they
// come another way, since that costs the server more than the block.
func (p *puller) read(ctx context.Context, fed bool, out chan<- *Window) (more bool, err error) {
	if err := p.quiet(); err != nil {
		return false, err
	}
	blocks, err := commitlog.Read(ctx, p.conn, p.verify.Position().Seq, p.limits.Blocks, p.limits.Bytes)
	if len(blocks) > 0 {
		p.tail.Put(blocks)
		// What stands before a broken block is good and is applied.
		if err := p.send(ctx, blocks, nil, out); err != nil {
			return false, err
		}
	}
	if err != nil || len(blocks) > 0 || fed != p.notified {
		return len(blocks) > 0, err
	}
	// What comes before it is notified is found by another look.
	return true, p.notify(ctx, !fed)
}

// notify has the server notify of blocks, or not.
func (p *puller) notify(ctx context.Context, on bool) error {
	command := "unlisten "
	if on {
		command = "listen "
	}
	if _, err := p.conn.Exec(ctx, command+commitlog.Channel); err != nil {
		return fmt.Errorf("%sfor blocks: %w", command, err)
	}
	p.notified = on
	return nil
}

// ears wait for notifications. They use the connection until they are told to end.
type ears struct {
	end   context.CancelFunc
	ended chan struct{} // closed when they have
	err   error         // behind that: what was wrong with the connection
	heard chan struct{} // of capacity 1: there are blocks that have not been seen
}

func (p *puller) listen(ctx context.Context) {
	if p.ears != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	e := &ears{end: cancel, ended: make(chan struct{}), heard: make(chan struct{}, 1)}
	p.ears = e
	go func() {
		defer close(e.ended)
		for {
			n, err := p.conn.WaitForNotification(ctx)
			if err != nil {
				if ctx.Err() == nil || p.conn.IsClosed() {
					e.err = fmt.Errorf("wait for blocks: %w", err)
				}
				return
			}
			// Most are of blocks that came another way.
			if last, err := strconv.ParseInt(n.Payload, 10, 64); err == nil && last <= p.seen.Load() {
				continue
			}
			select {
			case e.heard <- struct{}{}:
			default:
			}
		}
	}()
}

// quiet ends the listening, so that the connection can be used.
func (p *puller) quiet() error {
	if p.ears == nil {
		return nil
	}
	e := p.ears
	p.ears = nil
	e.end()
	<-e.ended
	return e.err
}

// send verifies the blocks and sends them as one window, or as several where a
// large block stands between. What changed says to be in the tail by the time that the window is taken is taken with it.
func (p *puller) send(ctx context.Context, blocks []commitlog.Block, changed <-chan struct{}, out chan<- *Window) error {
	for len(blocks) > 0 {
		if blocks[0].Seq != p.verify.Position().Seq+1 {
			return p.gap(ctx, blocks[0].Seq)
		}
		if blocks[0].Parts > 1 {
			if err := p.sendLarge(ctx, blocks[0], nil, out); err != nil {
				return err
			}
			blocks = blocks[1:]
			continue
		}
		w := &Window{Before: p.verify.Position(), Model: p.model}
		size, broken := int64(0), error(nil)
		for sent := false; !sent && broken == nil; {
			if blocks, broken = p.fill(w, &size, blocks); broken != nil {
				break
			}
			if len(blocks) > 0 || size >= p.limits.Bytes || len(w.Blocks) >= p.limits.Blocks {
				changed = nil // it is full, or of what is in the log
			}
			select {
			case out <- w:
				sent = true
			case <-changed:
				changed = p.tail.Changed()
				blocks = p.tail.Behind(w.After().Seq, p.limits.Blocks-len(w.Blocks), p.limits.Bytes-size)
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if broken == nil {
			continue
		}
		// What stands before a broken block is good and is applied.
		if len(w.Blocks) > 0 {
			select {
			case out <- w:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return p.broken(ctx, broken)
	}
	return nil
}

// windowModels is how many changes of the model a window has at most. Each model is kept until the window is applied, and that of a database
// of thousands of tables takes megabytes.
const windowModels = 8

// fill verifies blocks and adds them to the window until it is full, or a large one comes.
func (p *puller) fill(w *Window, size *int64, blocks []commitlog.Block) (rest []commitlog.Block, broken error) {
	for len(blocks) > 0 && blocks[0].Parts <= 1 && *size < p.limits.Bytes {
		if blocks[0].Model != p.model && w.ChangesOfModel() >= windowModels {
			break
		}
		b := Block{Block: blocks[0]}
		if b.Content, broken = p.verify.Part(nil, b.Seq, b.Payload); broken == nil {
			broken = p.verify.Block(&b.Block)
		}
		if broken != nil {
			return blocks, broken
		}
		*size += int64(len(b.Content))
		p.model = b.Model
		w.Blocks = append(w.Blocks, b)
		blocks = blocks[1:]
	}
	return blocks, nil
}

// sendLarge sends a block of several parts and waits until they were read: from the log, or while they are being made.
func (p *puller) sendLarge(ctx context.Context, b commitlog.Block, growing *commitlog.Large, out chan<- *Window) error {
	done := make(chan error, 1)
	w := &Window{Before: p.verify.Position(), Model: p.model, Blocks: []Block{{Block: b}}, Growing: growing != nil}
	w.Parts = func(ctx context.Context, f func([]byte) error) error {
		err := p.parts(ctx, w, growing, f)
		done <- err
		return err
	}
	select {
	case out <- w:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-done:
		p.model = w.Blocks[0].Model
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// part is one of a large block.
type part struct {
	stored, content []byte
	err             error
}

// parts gives the content of a large block to f. The next part is read and verified meanwhile. All of the block is known when it returns.
func (p *puller) parts(ctx context.Context, w *Window, growing *commitlog.Large, f func([]byte) error) error {
	b := &w.Blocks[0].Block
	reading, cancel := context.WithCancel(ctx)
	read := make(chan part, 1)
	next := func(n int) ([]byte, bool, error) { return growing.Part(reading, n) }
	if growing != nil {
		defer p.models.expect(nil) // behind the block the log has them
	} else {
		next = func(n int) ([]byte, bool, error) {
			if n == 0 || n >= int(b.Parts) {
				return b.Payload, n == 0, nil
			}
			stored, err := commitlog.ReadPart(reading, p.conn, b.Seq, int32(n))
			return stored, true, err
		}
	}
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(read)
		p.readParts(reading, b.Seq, next, read)
	})
	defer reader.Wait()
	defer cancel()
	var refused error // by f; what is wrong with the block itself goes before it
	n := int32(0)
	for next := range read {
		if next.err != nil {
			return next.err
		}
		if n > 0 && w.StoredParts != nil && refused == nil {
			if err := w.StoredParts(n, next.stored); err != nil {
				return err
			}
		}
		if growing != nil {
			p.models.expect(growing.Models())
		}
		if refused == nil {
			refused = f(next.content)
		}
		if refused != nil && growing != nil {
			return refused // there is nothing to know of the block yet
		}
		n++
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if growing != nil {
		*b = growing.Block()
	}
	if err := p.verify.Block(b); err != nil {
		return err
	}
	return refused
}

// readParts sends the parts of a block as next gives them, until there are no more, one has an error or ctx ends. The content of a part
// is valid until the next but one was taken.
func (p *puller) readParts(ctx context.Context, seq int64, next func(n int) ([]byte, bool, error), out chan<- part) {
	contents := [3][]byte{{}, {}, {}} // one is being filled, one waits, one is in use
	for n := 0; ; n++ {
		stored, there, err := next(n)
		if !there && err == nil {
			return
		}
		one := part{stored: stored, err: err}
		if err == nil {
			c := &contents[n%3]
			one.content, one.err = p.verify.Part((*c)[:0], seq, stored)
			*c = one.content
		}
		select {
		case out <- one:
		case <-ctx.Done():
			return
		}
		if one.err != nil {
			return
		}
	}
}

// broken completes the error of a block that does not verify.
func (p *puller) broken(ctx context.Context, err error) error {
	var gap *commitlog.GapError
	if errors.As(err, &gap) {
		return p.gap(ctx, gap.Have)
	}
	return err
}

func (p *puller) gap(ctx context.Context, have int64) error {
	if err := p.quiet(); err != nil {
		return err
	}
	oldest, err := commitlog.Oldest(ctx, p.conn)
	if err != nil {
		return err
	}
	return &commitlog.GapError{Want: p.verify.Position().Seq + 1, Have: have, Oldest: oldest}
}
