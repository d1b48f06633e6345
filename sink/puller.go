package sink

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
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
	idle   chan struct{} // gets something, of capacity 1, when all that there is was sent
}

// run sends windows to out, in order, until ctx ends or something is wrong.
func (p *puller) run(ctx context.Context, out chan<- *Window) error {
	if _, err := p.conn.Exec(ctx, "listen "+commitlog.Channel); err != nil {
		return fmt.Errorf("listen for blocks: %w", err)
	}
	unheard := 0 // windows since the connection was read
	for {
		changed := p.tail.Changed()
		blocks := p.tail.Behind(p.verify.Position().Seq, p.limits.Blocks, p.limits.Bytes)
		if len(blocks) > 0 {
			err := p.send(ctx, blocks, out)
			var corrupt *commitlog.CorruptError
			switch {
			case errors.As(err, &corrupt):
				p.tail.Clear() // the log may say something else by now
			case err != nil:
				return err
			}
			if unheard++; unheard >= 100 {
				unheard = 0
				if err := p.wait(ctx, time.Millisecond, changed); err != nil {
					return err
				}
			}
			continue
		}
		blocks, err := commitlog.Read(ctx, p.conn, p.verify.Position().Seq, p.limits.Blocks, p.limits.Bytes)
		if len(blocks) > 0 {
			p.tail.Put(blocks)
			// What stands before a broken block is good and is applied.
			if err := p.send(ctx, blocks, out); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
		if len(blocks) == 0 {
			select {
			case p.idle <- struct{}{}:
			default:
			}
			unheard = 0
			if err := p.wait(ctx, pollEvery, changed); err != nil {
				return err
			}
		}
	}
}

// wait returns when there may be new blocks, or the time is over.
func (p *puller) wait(ctx context.Context, long time.Duration, changed <-chan struct{}) error {
	waiting, cancel := context.WithTimeout(ctx, long)
	var watcher sync.WaitGroup
	watcher.Go(func() {
		select {
		case <-changed:
			cancel()
		case <-waiting.Done():
		}
	})
	defer watcher.Wait()
	defer cancel()
	for {
		heard, err := p.conn.WaitForNotification(waiting)
		switch {
		case err == nil:
			// Most are of blocks that came another way.
			if last, err := strconv.ParseInt(heard.Payload, 10, 64); err == nil && last <= p.verify.Position().Seq {
				continue
			}
			return nil
		case ctx.Err() == nil && waiting.Err() != nil && !p.conn.IsClosed():
			return nil
		}
		return fmt.Errorf("wait for blocks: %w", err)
	}
}

// send verifies the blocks and sends them as one window, or as several where a
// large block stands between.
func (p *puller) send(ctx context.Context, blocks []commitlog.Block, out chan<- *Window) error {
	for len(blocks) > 0 {
		if blocks[0].Seq != p.verify.Position().Seq+1 {
			return p.gap(ctx, blocks[0].Seq)
		}
		if blocks[0].Parts > 1 {
			if err := p.sendLarge(ctx, blocks[0], out); err != nil {
				return err
			}
			blocks = blocks[1:]
			continue
		}
		w := &Window{Before: p.verify.Position(), Model: p.model}
		var size int64
		var broken error
		for len(blocks) > 0 && blocks[0].Parts <= 1 && size < p.limits.Bytes {
			b := Block{Block: blocks[0]}
			if b.Content, broken = p.verify.Part(nil, b.Seq, b.Payload); broken == nil {
				broken = p.verify.Block(&b.Block)
			}
			if broken != nil {
				break
			}
			size += int64(len(b.Content))
			p.model = b.Model
			w.Blocks = append(w.Blocks, b)
			blocks = blocks[1:]
		}
		// What stands before a broken block is good and is applied.
		if len(w.Blocks) > 0 {
			select {
			case out <- w:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if broken != nil {
			return p.broken(ctx, broken)
		}
	}
	return nil
}

// sendLarge sends a block of several parts and waits until they were read.
func (p *puller) sendLarge(ctx context.Context, b commitlog.Block, out chan<- *Window) error {
	done := make(chan error, 1)
	w := &Window{Before: p.verify.Position(), Model: p.model, Blocks: []Block{{Block: b}}}
	w.Parts = func(ctx context.Context, f func([]byte) error) error {
		err := p.parts(ctx, w, f)
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
		p.model = b.Model
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

// parts gives the content of a large block to f. The next part is read and verified meanwhile.
func (p *puller) parts(ctx context.Context, w *Window, f func([]byte) error) error {
	b := &w.Blocks[0].Block
	reading, cancel := context.WithCancel(ctx)
	read := make(chan part, 1)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(read)
		p.read(reading, b, read)
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
		if refused == nil {
			refused = f(next.content)
		}
		n++
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := p.verify.Block(b); err != nil {
		return err
	}
	return refused
}

// read sends the parts of a block, until one has an error or ctx ends. The content of a part is valid until the
// next but one was taken.
func (p *puller) read(ctx context.Context, b *commitlog.Block, out chan<- part) {
	contents := [3][]byte{{}, {}, {}} // one is being filled, one waits, one is in use
	for n := range b.Parts {
		next := part{stored: b.Payload}
		if n > 0 {
			next.stored, next.err = commitlog.ReadPart(ctx, p.conn, b.Seq, n)
		}
		if next.err == nil {
			c := &contents[n%3]
			next.content, next.err = p.verify.Part((*c)[:0], b.Seq, next.stored)
			*c = next.content
		}
		select {
		case out <- next:
		case <-ctx.Done():
			return
		}
		if next.err != nil {
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
	oldest, err := commitlog.Oldest(ctx, p.conn)
	if err != nil {
		return err
	}
	return &commitlog.GapError{Want: p.verify.Position().Seq + 1, Have: have, Oldest: oldest}
}
