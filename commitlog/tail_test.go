package commitlog

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func tailBlock(seq int64, parts int32, size int) Block {
	return Block{Header: Header{Seq: seq, Parts: parts}, Payload: make([]byte, size)}
}

func seqs(blocks []Block) string {
	var list []string
	for _, b := range blocks {
		list = append(list, fmt.Sprint(b.Seq))
	}
	return strings.Join(list, " ")
}

func TestTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tail Tail
		want := func(after int64, limit int, bytes int64, want string) {
			t.Helper()
			if got := seqs(tail.Behind(after, limit, bytes)); got != want {
				t.Errorf("behind %d: %q, want %q", after, got, want)
			}
		}
		want(0, 10, 100, "")
		changed := tail.Changed()
		tail.Put(nil)
		select {
		case <-changed:
			t.Error("nothing was put")
		default:
		}
		tail.Put([]Block{tailBlock(4, 1, 10), tailBlock(5, 1, 10), tailBlock(6, 1, 10), tailBlock(8, 2, 10), tailBlock(9, 1, 10)})
		<-changed
		want(3, 10, 100, "4 5 6")
		want(4, 10, 100, "5 6")
		want(3, 2, 100, "4 5")
		want(3, 10, 25, "4 5")
		want(3, 10, 1, "4") // one at least
		want(2, 10, 100, "")
		want(6, 10, 100, "") // 7 is not there
		want(7, 10, 100, "") // 8 is a large one
		want(8, 10, 100, "9")

		time.Sleep(tailAge)
		tail.Put([]Block{tailBlock(10, 1, 10)})
		want(3, 10, 100, "4 5 6")
		time.Sleep(time.Nanosecond)
		want(3, 10, 100, "")
		want(9, 10, 100, "10")

		for seq := range int64(100) {
			tail.Put([]Block{tailBlock(100+seq, 1, tailBytes/10)})
		}
		if tail.bytes > tailBytes+tailBytes/10+blockCost {
			t.Errorf("it holds %d bytes", tail.bytes)
		}
		want(9, 10, 100, "")
		want(198, 10, 100, "199")

		tail.Clear()
		want(198, 10, 100, "")
		tail.Put([]Block{tailBlock(199, 1, 10)})
		want(198, 10, 100, "199")
	})
	var none *Tail
	none.Put([]Block{tailBlock(1, 1, 1)})
	none.Clear()
	if got := none.Behind(0, 1, 1); got != nil {
		t.Errorf("a tail that is not there has %d blocks", len(got))
	}
	if none.Changed() != nil {
		t.Error("a tail that is not there can change")
	}
}

func TestTailIsFed(t *testing.T) {
	var tail Tail
	want := func(fed bool, last int64) {
		t.Helper()
		if f, l := tail.Fed(); f != fed || l != last {
			t.Errorf("fed %v with block %d, want %v with block %d", f, l, fed, last)
		}
	}
	want(false, 0)
	tail.Put([]Block{tailBlock(4, 1, 10)}) // by who has read it
	want(false, 0)
	changed := tail.Changed()
	tail.Feed(tailBlock(5, 1, 10))
	<-changed
	want(true, 5)
	changed = tail.Changed()
	tail.Feed(tailBlock(6, 2, 10)) // a large one is not kept, but is there
	<-changed
	want(true, 6)
	if got := seqs(tail.Behind(3, 10, 100)); got != "4 5" {
		t.Errorf("behind 3: %q", got)
	}
	changed = tail.Changed()
	tail.Starve()
	<-changed
	want(false, 6)
	var none *Tail
	none.Feed(tailBlock(7, 1, 10))
	none.Starve()
	if fed, _ := none.Fed(); fed {
		t.Error("a nil Tail is fed")
	}
}

func TestTailForgetsWhatAllReadersHavePassed(t *testing.T) {
	var tail Tail
	has := func(want string) {
		t.Helper()
		var got []string
		for seq := int64(1); seq < 10; seq++ {
			if blocks := tail.Behind(seq-1, 1, 100); len(blocks) > 0 {
				got = append(got, fmt.Sprint(seq))
			}
		}
		if list := strings.Join(got, " "); list != want || len(tail.order) != len(got) {
			t.Errorf("it has %q, and %d entries; want %q", list, len(tail.order), want)
		}
	}
	one, two := tail.Reader(), tail.Reader()
	for seq := range int64(5) {
		tail.Feed(tailBlock(seq+1, 1, 10))
	}
	one.Passed(5)
	has("1 2 3 4 5") // two may want them all
	two.Passed(3)
	has("4 5")
	tail.Put([]Block{tailBlock(2, 1, 10), tailBlock(6, 1, 10)}) // nobody wants 2
	has("4 5 6")
	two.Passed(1) // a database that was restored, or has lost what was not on its disk
	tail.Put([]Block{tailBlock(3, 1, 10)})
	has("3 4 5 6")
	two.Close()
	one.Passed(5)
	has("3 6") // 3 came behind 6, and goes with it
	one.Passed(6)
	has("")
	one.Close()
	tail.Put([]Block{tailBlock(1, 1, 10)}) // without readers it is kept for a while
	has("1")

	var none *Tail
	reader := none.Reader()
	reader.Passed(1)
	reader.Close()
}
