package sink

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/commitlog"
)

var anchor = change.Position{Epoch: 1, Seq: 7, LSN: 1000, Checksum: change.Checksum{0xee}}

// chain makes blocks behind the anchor.
func chain(contents ...string) (blocks []commitlog.Block) {
	prev := anchor
	for _, c := range contents {
		b := commitlog.Block{Header: commitlog.Header{
			Epoch: prev.Epoch, Seq: prev.Seq + 1, LSN: prev.LSN + 100, Commit: time.UnixMicro(0), Model: change.Checksum{byte(prev.Seq)}, Parts: 1, Bytes: int64(len(c)),
		}}
		b.Checksum = b.Sum(prev.Checksum, sha256.Sum256([]byte(c)))
		b.Payload = commitlog.Pack(nil, []byte(c))
		blocks = append(blocks, b)
		prev = b.Position()
	}
	return blocks
}

func testPuller(bytes int64) *puller {
	return &puller{limits: Limits{Blocks: 100, Bytes: bytes}, model: change.Checksum{0xaa}, verify: commitlog.NewVerifier(anchor)}
}

// windows shows what send sends: seq:content of the blocks, and the model before them.
func windows(p *puller, blocks []commitlog.Block) (string, error) {
	out := make(chan *Window, 100)
	err := p.send(context.Background(), blocks, nil, out)
	close(out)
	var list []string
	for w := range out {
		var blocks []string
		for _, b := range w.Blocks {
			blocks = append(blocks, fmt.Sprintf("%d:%s", b.Seq, b.Content))
		}
		list = append(list, fmt.Sprintf("%d/%x[%s]", w.Before.Seq, w.Model[0], strings.Join(blocks, " ")))
	}
	return strings.Join(list, " "), err
}

func TestWindowsAreBounded(t *testing.T) {
	for _, c := range []struct {
		bytes int64
		want  string
	}{
		{1000, "7/aa[8:one 9:two 10:three 11:]"},
		{6, "7/aa[8:one 9:two] 9/8[10:three 11:]"},
		{1, "7/aa[8:one] 8/7[9:two] 9/8[10:three] 10/9[11:]"},
	} {
		got, err := windows(testPuller(c.bytes), chain("one", "two", "three", ""))
		if err != nil || got != c.want {
			t.Errorf("%d bytes: got %s, %v, want %s", c.bytes, got, err, c.want)
		}
	}
}

// Every block of this chain has another model.
func TestWindowsHaveFewModels(t *testing.T) {
	got, err := windows(testPuller(1000), chain("1", "2", "3", "4", "5", "6", "7", "8", "9", "10"))
	if want := "7/aa[8:1 9:2 10:3 11:4 12:5 13:6 14:7 15:8] 15/e[16:9 17:10]"; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

// What stands before a broken block is applied, the block and what follows is not.
func TestBlocksBeforeABrokenOneAreSent(t *testing.T) {
	blocks := chain("one", "two", "three")
	blocks[1].Payload = commitlog.Pack(nil, []byte("TWO"))
	p := testPuller(1000)
	got, err := windows(p, blocks)
	var corrupt *commitlog.CorruptError
	if !errors.As(err, &corrupt) || corrupt.Seq != 9 || got != "7/aa[8:one]" {
		t.Errorf("got %s, %v", got, err)
	}
	// The puller goes on where it stands once the block is mended.
	if got, err = windows(p, chain("one", "two", "three")[1:]); err != nil || got != "8/7[9:two 10:three]" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	end := errors.New("the end")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(end)
	if err := testPuller(1000).send(ctx, chain("one"), nil, make(chan *Window)); !errors.Is(err, end) {
		t.Errorf("got %v, want %v", err, end)
	}
	large := chain("one")
	large[0].Parts = 2
	if err := testPuller(1000).send(ctx, large, nil, make(chan *Window, 1)); !errors.Is(err, end) {
		t.Errorf("a large block that nobody reads: got %v, want %v", err, end)
	}
}

// What comes while the applier is busy goes into the window that it gets next.
func TestWindowGrowsUntilItIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocks := chain("one", "two", "three", "four", "five")
		var tail commitlog.Tail
		p := testPuller(13)
		p.tail = &tail
		out := make(chan *Window)
		sent := make(chan error, 1)
		tail.Put(blocks[:1])
		changed := tail.Changed()
		go func() { sent <- p.send(t.Context(), tail.Behind(7, 10, 1000), changed, out) }()
		synctest.Wait()
		tail.Put(blocks[1:2])
		synctest.Wait()
		tail.Put(blocks[2:4])
		synctest.Wait()
		tail.Put(blocks[4:]) // the window has all the bytes that it may
		synctest.Wait()
		w := <-out
		if err := <-sent; err != nil || w.Before.Seq != 7 || w.After().Seq != 11 || len(w.Blocks) != 4 {
			t.Errorf("the window goes from block %d to %d: %v", w.Before.Seq, w.After().Seq, err)
		}
		if p.verify.Position().Seq != 11 {
			t.Errorf("the puller is at block %d", p.verify.Position().Seq)
		}
		// A broken one is not taken for the end of the window.
		broken := chain("one", "two", "three", "four", "five", "six")[5:]
		broken[0].Payload = commitlog.Pack(nil, []byte("SIX"))
		changed = tail.Changed()
		go func() { sent <- p.send(t.Context(), tail.Behind(11, 10, 1000), changed, out) }()
		synctest.Wait()
		tail.Put(broken)
		synctest.Wait()
		if w = <-out; w.After().Seq != 12 {
			t.Errorf("the window ends at block %d", w.After().Seq)
		}
		var corrupt *commitlog.CorruptError
		if err := <-sent; !errors.As(err, &corrupt) || corrupt.Seq != 13 {
			t.Errorf("got %v", err)
		}
	})
}
