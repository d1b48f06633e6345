package change

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Relation is a table as the write-ahead log describes it: what is needed to
// give the values of a change their columns. It holds nothing that can change
// without the log saying so (type names, for one), because two readings of the
// same log must agree. Immutable once made.
type Relation struct {
	OID      uint32   `json:"oid"`
	Schema   string   `json:"schema"`
	Name     string   `json:"name"`
	Identity string   `json:"identity"` // pg_class.relreplident: d, n, f or i
	Columns  []Column `json:"columns"`
}

// Column is one replicated column, in the order of the values of a Tuple.
type Column struct {
	Name   string `json:"name"`
	Type   uint32 `json:"type"` // type OID on the master
	Typmod int32  `json:"typmod"`
	Key    bool   `json:"key"` // part of the replica identity
}

func (r *Relation) String() string { return r.Schema + "." + r.Name }

// Definition is the canonical text of the relation; equal relations have equal text.
func (r *Relation) Definition() string {
	if r.Columns == nil {
		none := *r
		none.Columns = []Column{}
		r = &none
	}
	b, err := json.Marshal(r)
	if err != nil {
		panic("change: relation can not be marshalled: " + err.Error()) // plain strings and numbers always can
	}
	return string(b)
}

// ParseRelation reads what Definition wrote.
func ParseRelation(definition string) (*Relation, error) {
	r := new(Relation)
	if err := json.Unmarshal([]byte(definition), r); err != nil {
		return nil, fmt.Errorf("parse relation: %w", err)
	}
	return r, nil
}

// Model is the set of relations known at one point of the log, addressed by the
// checksum of its content. Immutable: With makes a new one.
type Model struct {
	relations map[uint32]*Relation
	sums      map[uint32]Checksum // by relation OID

	once sync.Once
	sum  Checksum
}

// NewModel is a model of the given relations.
func NewModel(relations ...*Relation) *Model {
	m := &Model{relations: map[uint32]*Relation{}, sums: map[uint32]Checksum{}}
	for _, r := range relations {
		m.relations[r.OID] = r
		m.sums[r.OID] = sha256.Sum256([]byte(r.Definition()))
	}
	return m
}

// Relation gives the relation with this OID, nil when the model has none.
func (m *Model) Relation(oid uint32) *Relation { return m.relations[oid] }

// Relations gives all relations in the order of their OIDs.
func (m *Model) Relations() []*Relation {
	list := make([]*Relation, 0, len(m.relations))
	for _, oid := range slices.Sorted(maps.Keys(m.relations)) {
		list = append(list, m.relations[oid])
	}
	return list
}

// With is the model in which r takes the place of the relation with its OID;
// m itself when it holds r already. A relation of the same name under another
// OID was dropped on the master and is left out.
func (m *Model) With(r *Relation) *Model {
	sum := Checksum(sha256.Sum256([]byte(r.Definition())))
	if m.sums[r.OID] == sum {
		return m
	}
	n := &Model{relations: maps.Clone(m.relations), sums: maps.Clone(m.sums)}
	for oid, old := range n.relations {
		if oid != r.OID && old.Schema == r.Schema && old.Name == r.Name {
			delete(n.relations, oid)
			delete(n.sums, oid)
		}
	}
	n.relations[r.OID], n.sums[r.OID] = r, sum
	return n
}

// Object is one definition of a model, as it is stored.
type Object struct {
	Checksum   Checksum
	Kind, Name string
	Definition string
}

// Objects lists the model's objects in the order of their checksums.
func (m *Model) Objects() []Object {
	list := make([]Object, 0, len(m.relations))
	for oid, r := range m.relations {
		list = append(list, Object{m.sums[oid], "relation", r.String(), r.Definition()})
	}
	slices.SortFunc(list, func(a, b Object) int { return slices.Compare(a.Checksum[:], b.Checksum[:]) })
	return list
}

// Checksum is the SHA-256 of the objects' checksums in their order.
func (m *Model) Checksum() Checksum {
	m.once.Do(func() {
		h := sha256.New()
		for _, o := range m.Objects() {
			h.Write(o.Checksum[:])
		}
		h.Sum(m.sum[:0])
	})
	return m.sum
}
