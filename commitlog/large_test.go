package commitlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pgbridge/pgbridge/change"
)

// Two readers, of which one comes late, get all parts while they are added, and the whole block at the end.
func TestLargeBlockIsReadWhileItIsMade(t *testing.T) {
	var tail Tail
	changed := tail.Changed()
	l := tail.grow(tailBlock(7, 0, 0), nil)
	<-changed
	if tail.Large(6) != nil || tail.Large(8) != nil {
		t.Error("another block is taken for it")
	}
	read := func(l *Large) (text string, err error) {
		defer l.Close()
		for n := 0; ; n++ {
			part, there, err := l.Part(t.Context(), n)
			if err != nil {
				return text, err
			}
			if !there {
				return fmt.Sprintf("%s of %d", text, l.Block().Parts), nil
			}
			text += string(part)
		}
	}
	var readers sync.WaitGroup
	texts, errs := make([]string, 2), make([]error, 2)
	first := tail.Large(7)
	readers.Go(func() { texts[0], errs[0] = read(first) })
	l.add([]byte("one "), nil)
	l.add(nil, nil)
	second := tail.Large(7)
	readers.Go(func() { texts[1], errs[1] = read(second) })
	l.add([]byte("two "), nil)
	readers.Go(func() {
		if tail.Large(6) != nil {
			t.Error("another block is taken for it while it ends")
		}
	})
	b := tailBlock(7, 3, 0)
	l.finish(&b, nil)
	l.finish(nil, errors.New("too late"))
	readers.Wait()
	for i := range texts {
		if texts[i] != "one two  of 3" || errs[i] != nil {
			t.Errorf("reader %d got %q, %v", i, texts[i], errs[i])
		}
	}
	if tail.Large(7) != nil {
		t.Error("it is there although nobody has it any more")
	}
	if err := l.file.Close(); err == nil {
		t.Error("its file was open")
	}
}

func TestLargeBlockThatIsNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := errors.New("the end")
		ctx, cancel := context.WithCancelCause(t.Context())
		for _, c := range []struct {
			name string
			end  func(*Large)
			want error
		}{
			{"its writer fails", func(l *Large) { l.finish(nil, end) }, ErrUnmade},
			{"the file takes no part", func(l *Large) { l.file.Close(); l.add([]byte("part"), nil) }, ErrUnmade},
			{"the file has lost a part", func(l *Large) { l.file.Truncate(0); l.ends = []int64{4}; l.mu.Lock(); l.tell(); l.mu.Unlock() }, ErrUnmade},
			{"the reader ends", func(*Large) { cancel(end) }, end},
		} {
			var tail Tail
			l := tail.grow(tailBlock(7, 0, 0), nil)
			reader := tail.Large(7)
			got := make(chan error, 1)
			go func() {
				_, _, err := reader.Part(ctx, 0)
				got <- err
			}()
			synctest.Wait()
			c.end(l)
			if err := <-got; !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, err, c.want)
			}
			if c.want == ErrUnmade && tail.Large(7) != nil {
				t.Errorf("%s: others are given it", c.name)
			}
			reader.Close()
		}
	})
}

func TestNoLargeBlock(t *testing.T) {
	var tail *Tail
	l := tail.grow(tailBlock(7, 0, 0), nil)
	l.add([]byte("part"), nil)
	l.finish(nil, errors.New("the end"))
	if tail.Large(7) != nil {
		t.Error("a nil Tail has a block")
	}
	t.Setenv("TMPDIR", "/nowhere")
	if (&Tail{}).grow(tailBlock(7, 0, 0), nil) != nil {
		t.Error("it grows nowhere")
	}
}

// Models that change the schema, and those behind them, are the sync table's to give.
func TestModelsOfALargeBlock(t *testing.T) {
	relation := func(oid uint32) *change.Relation {
		return &change.Relation{OID: oid, Schema: "public", Name: fmt.Sprint("t", oid)}
	}
	entry, err := change.ParseEntry(`{"class": 1259, "oid": 3, "kind": "table", "name": "t3"}`)
	if err != nil {
		t.Fatal(err)
	}
	base := change.NewModel(relation(1))
	second := base.With(relation(2))
	evolved := second.Evolve(&change.Evolution{Set: []change.Said{{Address: entry.Address, Entry: entry}}}, change.Changes{}, change.Changes{})
	if evolved.SameSchema(base) {
		t.Fatal("the schema has not changed")
	}
	var tail Tail
	l := tail.grow(tailBlock(7, 0, 0), base)
	defer l.finish(nil, errors.New("the end"))
	for _, c := range []struct {
		made []*change.Model
		want int
	}{
		{nil, 0},
		{[]*change.Model{second}, 1},
		{[]*change.Model{second, evolved}, 1},
		{[]*change.Model{second, evolved, second}, 1},
	} {
		l.add([]byte("part"), c.made)
		if got := l.Models(); len(got) != c.want || c.want > 0 && got[0] != second {
			t.Errorf("of %d models it gives %d, want %d", len(c.made), len(got), c.want)
		}
	}
}
