package change_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/internal/gold"
)

func relation(oid uint32, name string, columns ...string) *change.Relation {
	r := &change.Relation{OID: oid, Schema: "public", Name: name, Identity: "d"}
	for i, c := range columns {
		r.Columns = append(r.Columns, change.Column{Name: c, Type: 23, Typmod: -1, Key: i == 0})
	}
	return r
}

var definitions = []*change.Relation{
	{OID: 16384, Schema: "public", Name: "orders", Identity: "d", Columns: []change.Column{
		{Name: "id", Type: 20, Typmod: -1, Key: true}, {Name: "price", Type: 1700, Typmod: 655366},
	}},
	{OID: 1<<32 - 1, Schema: `q"uo'te`, Name: "<Ünïcode & \u2028 \t>", Identity: "f", Columns: []change.Column{{Name: "ключ", Type: 1<<32 - 1, Typmod: 1<<31 - 1, Key: true}}},
	{OID: 1, Schema: "s", Name: "no_columns", Identity: "n", Columns: []change.Column{}},
}

// Models are addressed by the SHA-256 of these texts: not a byte may change.
func TestDefinitionIsGolden(t *testing.T) {
	var b strings.Builder
	for _, r := range definitions {
		b.WriteString(r.Definition() + "\n")
	}
	m := change.NewModel(definitions...)
	for _, o := range m.Objects() {
		fmt.Fprintf(&b, "%s %q %s\n", o.Kind, o.Name, o.Checksum)
	}
	fmt.Fprintln(&b, "model", m.Checksum())
	gold.Text(t, "definitions.txt", b.String())
}

func TestDefinitionIsReadBack(t *testing.T) {
	for _, r := range definitions {
		got, err := change.ParseRelation(r.Definition())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, r) {
			t.Errorf("got %+v, want %+v", got, r)
		}
	}
	for _, s := range []string{"", "x", "[]", `{"oid":-1}`, `{"oid":4294967296}`, `{"oid":1} `} {
		if r, err := change.ParseRelation(s + "x"); err == nil {
			t.Errorf("%q is read as %+v", s+"x", r)
		}
	}
}

// It does not matter how a table without columns was made.
func TestNoColumnsAreNoColumns(t *testing.T) {
	none, empty := relation(1, "t"), relation(1, "t")
	empty.Columns = []change.Column{}
	if none.Definition() != empty.Definition() {
		t.Errorf("%s and %s", none.Definition(), empty.Definition())
	}
	m := change.NewModel(none)
	if m.With(empty) != m {
		t.Error("the model changes")
	}
}

func TestModelDoesNotDependOnTheOrder(t *testing.T) {
	var relations []*change.Relation
	for i := range uint32(100) {
		relations = append(relations, relation(i+1, fmt.Sprintf("t%d", i), "id"))
	}
	want := change.NewModel(relations...)
	for seed := range uint64(20) {
		shuffled := slices.Clone(relations)
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(shuffled), func(i, k int) { shuffled[i], shuffled[k] = shuffled[k], shuffled[i] })
		made, grown := change.NewModel(shuffled...), change.NewModel()
		for _, r := range shuffled {
			grown = grown.With(r)
		}
		for _, m := range []*change.Model{made, grown} {
			if m.Checksum() != want.Checksum() {
				t.Fatalf("seed %d: checksum %s, want %s", seed, m.Checksum(), want.Checksum())
			}
			if !reflect.DeepEqual(m.Objects(), want.Objects()) {
				t.Fatalf("seed %d: objects differ", seed)
			}
			if !reflect.DeepEqual(m.Relations(), want.Relations()) {
				t.Fatalf("seed %d: relations differ", seed)
			}
		}
	}
}

func TestRelationsAreInTheOrderOfOIDs(t *testing.T) {
	m := change.NewModel(relation(3, "c"), relation(1, "a"), relation(2, "b"))
	if got := names(m); got != "public.a public.b public.c" {
		t.Errorf("got %s", got)
	}
}

func names(m *change.Model) string {
	var list []string
	for _, r := range m.Relations() {
		list = append(list, r.String())
	}
	return strings.Join(list, " ")
}

func TestWithLeavesTheOldModelAsItWas(t *testing.T) {
	before := change.NewModel(relation(1, "a", "id"))
	sum := before.Checksum()
	after := before.With(relation(1, "a", "id", "more"))
	if after == before || after.Checksum() == sum {
		t.Error("another column makes no other model")
	}
	if before.Checksum() != sum || len(before.Relation(1).Columns) != 1 {
		t.Error("the model before has changed")
	}
	if len(after.Relation(1).Columns) != 2 || after.Relation(2) != nil {
		t.Error("the model behind is wrong")
	}
}

func TestWithAnEqualRelationIsTheSameModel(t *testing.T) {
	m := change.NewModel(relation(1, "a", "id"))
	if m.With(relation(1, "a", "id")) != m {
		t.Error("an equal relation makes another model")
	}
}

// Every part of a relation enters the checksum.
func TestEveryFieldMakesAnotherModel(t *testing.T) {
	base := func() *change.Relation { return relation(1, "a", "id", "v") }
	m := change.NewModel(base())
	for name, edit := range map[string]func(*change.Relation){
		"schema":        func(r *change.Relation) { r.Schema = "s" },
		"name":          func(r *change.Relation) { r.Name = "b" },
		"identity":      func(r *change.Relation) { r.Identity = "f" },
		"column name":   func(r *change.Relation) { r.Columns[1].Name = "w" },
		"type":          func(r *change.Relation) { r.Columns[1].Type = 25 },
		"typmod":        func(r *change.Relation) { r.Columns[1].Typmod = 4 },
		"key":           func(r *change.Relation) { r.Columns[1].Key = true },
		"columns":       func(r *change.Relation) { r.Columns = r.Columns[:1] },
		"column order":  func(r *change.Relation) { slices.Reverse(r.Columns) },
		"other OID too": func(r *change.Relation) { r.OID = 2 },
	} {
		r := base()
		edit(r)
		if next := m.With(r); next == m || next.Checksum() == m.Checksum() || len(next.Relations()) != 1 {
			t.Errorf("%s: the model is the same, or has %s", name, names(next))
		}
	}
}

// A table that was dropped and made again has another OID; the old one is gone.
func TestSameNameUnderAnotherOIDReplaces(t *testing.T) {
	m := change.NewModel(relation(1, "a", "id"), relation(2, "b", "id")).With(relation(3, "a", "id"))
	if m.Relation(1) != nil || m.Relation(3) == nil || m.Relation(2) == nil {
		t.Errorf("got %s", names(m))
	}
	if want := change.NewModel(relation(3, "a", "id"), relation(2, "b", "id")); m.Checksum() != want.Checksum() {
		t.Error("the way enters the checksum")
	}
	// The same name in another schema is another table.
	other := relation(4, "b", "id")
	other.Schema = "s"
	if m = m.With(other); m.Relation(2) == nil || m.Relation(4) == nil {
		t.Errorf("got %s", names(m))
	}
}

// Two tables swap their names; the log tells of one, then of the other.
func TestRenameSwap(t *testing.T) {
	m := change.NewModel(relation(1, "a", "id"), relation(2, "b", "id"))
	want := change.NewModel(relation(2, "a", "id"), relation(1, "b", "id"))
	m = m.With(relation(2, "a", "id"))
	if got := names(m); got != "public.a" || m.Relation(2) == nil {
		t.Fatalf("half way: %s", got)
	}
	if m = m.With(relation(1, "b", "id")); m.Checksum() != want.Checksum() {
		t.Errorf("got %s", names(m))
	}
}
