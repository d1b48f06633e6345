package commitlog

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pgbridge/pgbridge/change"
)

var earlyRelation = &change.Relation{OID: 5, Schema: "public", Name: "t", Identity: "d", Columns: []change.Column{{Name: "a", Type: 25, Typmod: -1}}}

func rowOf(size int) change.Tuple {
	return change.Tuple{{Kind: change.Text, Data: make([]byte, size)}}
}

// readEarly counts the rows, until they are over.
func readEarly(ctx context.Context, e *Early) (n int, err error) {
	defer e.Close()
	for part := 0; ; part++ {
		content, relations, there, err := e.Part(ctx, part)
		if err != nil || !there {
			return n, err
		}
		reader := change.NewReader(content)
		var c change.Change
		for {
			more, err := reader.Next(&c)
			if err != nil {
				return n, err
			}
			if !more {
				break
			}
			if relations[c.Relation] != earlyRelation {
				return n, fmt.Errorf("row %d is of %v", n, relations[c.Relation])
			}
			n++
		}
	}
}

func TestEarly(t *testing.T) {
	var tail Tail
	begun := tail.Begun()
	e := tail.Early(700)
	<-begun
	<-tail.Begun() // there is one
	if tail.LargestEarly(1, nil) != nil {
		t.Error("it is read before there are rows")
	}
	other := tail.Early(701)
	for range 3 {
		e.Add(earlyRelation, rowOf(earlyPart))
	}
	other.Add(earlyRelation, rowOf(earlyPart))
	got := tail.LargestEarly(1, nil)
	if got != e {
		t.Fatal("another is taken for the largest")
	}
	if second := tail.LargestEarly(1, map[uint32]bool{700: true}); second != other {
		t.Error("the other is not found")
	} else {
		second.Close()
	}
	read := make(chan error)
	go func() {
		n, err := readEarly(t.Context(), got)
		if err == nil && n != 5 {
			err = fmt.Errorf("%d rows, want 5", n)
		}
		read <- err
	}()
	e.Add(earlyRelation, rowOf(10))
	e.Add(earlyRelation, rowOf(10))
	e.End()
	e.Add(earlyRelation, rowOf(10)) // too late
	if err := <-read; err != nil {
		t.Error(err)
	}

	// What was rolled back nobody reads any more.
	got = tail.LargestEarly(1, map[uint32]bool{701: true})
	changed, _ := got.Changed()
	e.Cancel("rolled back")
	<-changed
	if _, err := readEarly(t.Context(), got); !errors.Is(err, ErrGone) || !strings.Contains(err.Error(), "rolled back") {
		t.Errorf("it is read: %v", err)
	}
	if tail.LargestEarly(1, map[uint32]bool{701: true}) != nil {
		t.Error("it is still found")
	}
	e.Leave(0)

	// Who has got it reads it when the transaction has committed; others do not find it.
	got = tail.LargestEarly(1, nil)
	other.Committed()
	if tail.LargestEarly(1, nil) != nil {
		t.Error("it is found behind its commit")
	}
	other.Leave(100)
	if got.Passed(99) || !got.Passed(100) {
		t.Error("it has not committed where it has")
	}
	if n, err := readEarly(t.Context(), got); n != 1 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	if err := other.file.Close(); err == nil {
		t.Error("the file is open when nobody needs it")
	}

	// A row that is too large ends it.
	e = tail.Early(703)
	e.Add(earlyRelation, rowOf(earlyPart))
	e.Add(earlyRelation, rowOf(earlyRow))
	e.Add(earlyRelation, rowOf(earlyRow+1))
	if n, err := readEarly(t.Context(), tail.LargestEarly(1, nil)); n != 2 || err != nil {
		t.Errorf("%d rows before a large one, %v", n, err)
	}
	e.Leave(0)

	// A relation that is told anew ends it.
	e = tail.Early(702)
	e.Add(earlyRelation, rowOf(earlyPart))
	again := *earlyRelation
	e.Add(&again, rowOf(earlyPart))
	if n, err := readEarly(t.Context(), tail.LargestEarly(1, nil)); n != 1 || err != nil {
		t.Errorf("%d rows of a relation that was told anew, %v", n, err)
	}
	e.Leave(0)

	var none *Tail
	missing := none.Early(1)
	missing.Add(earlyRelation, rowOf(1))
	missing.End()
	missing.Cancel("")
	missing.Leave(0)
}
