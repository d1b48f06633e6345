package change

import (
	"encoding/json"
	"fmt"
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
