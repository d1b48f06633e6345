package decoder

import (
	"errors"
	"testing"

	"github.com/pgbridge/pgbridge/change"
)

func TestConfirmDoubtsAChangeOfTheModel(t *testing.T) {
	model := change.NewModel()
	read := func(tx *Tx, models []*change.Model) func(func([]byte) error) error {
		return func(f func([]byte) error) error {
			tx.Model, tx.Models = model, models
			return f([]byte("content"))
		}
	}
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
	for _, c := range []struct {
		name    string
		models  []*change.Model
		certain func(*change.Model, []*change.Relation) bool
		want    error
	}{
		{"nothing changed", nil, nil, nil},
		{"a table changed", []*change.Model{next}, nil, ErrDoubt},
		{"a table changed, and may not have", []*change.Model{next}, says(false), ErrDoubt},
		{"a table is what the schema says", []*change.Model{next}, says(true), nil},
		{"the schema changed", []*change.Model{next, other}, says(true), ErrDoubt},
	} {
		small := &Tx{Model: model, Models: c.models}
		if err := confirm(before, small, c.certain); !errors.Is(err, c.want) {
			t.Errorf("%s: small transaction: %v, want %v", c.name, err, c.want)
		}
		large := &Tx{Large: true}
		large.parts = read(large, c.models)
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
