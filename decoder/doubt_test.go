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
	for _, c := range []struct {
		name   string
		models []*change.Model
		want   error
	}{
		{"nothing changed", nil, nil},
		{"a table changed", []*change.Model{model}, ErrDoubt},
	} {
		small := &Tx{Model: model, Models: c.models}
		if err := confirm(small); !errors.Is(err, c.want) {
			t.Errorf("%s: small transaction: %v, want %v", c.name, err, c.want)
		}
		large := &Tx{Large: true}
		large.parts = read(large, c.models)
		if err := confirm(large); err != nil {
			t.Errorf("%s: large transaction before it is read: %v", c.name, err)
		}
		parts := 0
		err := large.Parts(func([]byte) error { parts++; return nil })
		if !errors.Is(err, c.want) || parts != 1 {
			t.Errorf("%s: large transaction: %v after %d parts, want %v after 1", c.name, err, parts, c.want)
		}
	}
}
