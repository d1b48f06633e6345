package decoder

import (
	"errors"
	"testing"

	"github.com/pgbridge/pgbridge/change"
)

func TestConfirmDoubtsAChangeOfTheModel(t *testing.T) {
	before := change.NewModel(&change.Relation{OID: 1, Schema: "s", Name: "old", Identity: "d"})
	next := before.With(&change.Relation{OID: 2, Schema: "s", Name: "new", Identity: "d"})
	entry, err := change.ParseObject(`{"class":2615,"oid":5,"kind":"schema","name":"s"}`)
	if err != nil {
		t.Fatal(err)
	}
	other := change.ModelOf(append(next.Objects(), entry))
	says := func(answer bool) func(*change.Model, []*change.Relation) bool {
		return func(m *change.Model, relations []*change.Relation) bool {
			if m != next || len(relations) != 1 || relations[0].Name != "new" {
				t.Errorf("asked for %d relations", len(relations))
			}
			return answer
		}
	}
	about := next.Relation(2)
	for _, c := range []struct {
		name    string
		unsure  []*change.Relation
		doubt   bool
		models  []*change.Model
		certain func(*change.Model, []*change.Relation) bool
		want    error
	}{
		{name: "nothing changed"},
		{"a table changed", nil, false, []*change.Model{next}, nil, ErrDoubt},
		{"a table changed, and may not have", nil, false, []*change.Model{next}, says(false), ErrDoubt},
		{"a table is what the schema says", nil, false, []*change.Model{next}, says(true), nil},
		{"the schema changed", nil, false, []*change.Model{next, other}, says(true), ErrDoubt},
		{"rows of a table that had changed", []*change.Relation{about}, false, nil, nil, ErrDoubt},
		{"rows of a table that had changed, and is not what the schema says", []*change.Relation{about}, false, nil, says(false), ErrDoubt},
		{"rows of a table that had changed, and is what the schema says", []*change.Relation{about}, false, nil, says(true), nil},
		{"messages that may have been rolled back", nil, true, nil, nil, ErrDoubt},
	} {
		small := &Tx{Model: next, Models: c.models, unsure: c.unsure, doubt: c.doubt}
		if err := confirm(before, small, c.certain); !errors.Is(err, c.want) {
			t.Errorf("%s: small transaction: %v, want %v", c.name, err, c.want)
		}
		large := &Tx{Large: true}
		large.parts = func(f func([]byte) error) error {
			large.Model, large.Models, large.unsure, large.doubt = next, c.models, c.unsure, c.doubt
			return f([]byte("content"))
		}
		if err := confirm(before, large, c.certain); err != nil {
			t.Errorf("%s: large transaction before it is read: %v", c.name, err)
		}
		parts := 0
		err = large.Parts(func([]byte) error { parts++; return nil })
		if !errors.Is(err, c.want) || parts != 1 {
			t.Errorf("%s: large transaction: %v after %d parts, want %v after 1", c.name, err, parts, c.want)
		}
	}
}
