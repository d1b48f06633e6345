package schema

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pgbridge/pgbridge/change"
)

// Published says whether pgoutput describes the table by this relation: by its name, the columns that are not generated, in their order, and
// the replica identity. Where a type's modifier can not be told from the type's name, the answer is no. See logicalrep_write_rel in PostgreSQL's
// sources, and https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
func (t *Table) Published(r *change.Relation) bool {
	if t.OID != r.OID || t.Schema != r.Schema || t.Name != r.Name || string(t.ReplicaIdentity) != r.Identity {
		return false
	}
	var columns []Column
	for _, c := range t.Columns {
		if c.Generated == "" {
			columns = append(columns, c)
		}
	}
	slices.SortFunc(columns, func(a, b Column) int { return cmp.Compare(a.Num, b.Num) })
	return slices.EqualFunc(columns, r.Columns, func(c Column, p change.Column) bool {
		key := t.ReplicaIdentity == 'f' || slices.Contains(t.Identity, c.Name)
		return c.Name == p.Name && c.TypeOID == p.Type && key == p.Key && hasModifier(c.Type, p.Typmod)
	})
}

// Publisher says what pgoutput says of tables by the schema of a model, which it parses once. Not for concurrent use.
type Publisher struct {
	renderer Renderer
	model    *change.Model
	image    *Image
}

// Publishes says whether by the model's schema pgoutput describes their tables by these relations.
func (p *Publisher) Publishes(m *change.Model, relations []*change.Relation) (bool, error) {
	if m.Entry(change.Address{}) == nil {
		return false, nil // it knows no schema
	}
	if p.model == nil || !p.model.SameSchema(m) {
		image, err := p.renderer.Image(CatalogOf(m))
		if err != nil {
			return false, err
		}
		p.model, p.image = m, image
	}
	var oids []uint32
	for _, r := range relations {
		oids = append(oids, r.OID)
	}
	rendered, err := p.image.Around(oids...).Model(Options{})
	if err != nil {
		return false, err
	}
	tables := rendered.Tables()
	for _, r := range relations {
		if !slices.ContainsFunc(tables, func(t *Table) bool { return t.Published(r) }) {
			return false, nil
		}
	}
	return true, nil
}

// hasModifier says whether the type, as format_type writes it, is one with this modifier.
func hasModifier(typ string, modifier int32) bool {
	name, rest, modified := strings.Cut(typ, "(")
	if !modified {
		return modifier == -1
	}
	switch name {
	case "character varying", "character":
		return rest == fmt.Sprintf("%d)", modifier-4)
	case "numeric":
		// The scale is of 11 bits, with a sign.
		precision, scale := (modifier-4)>>16&0xffff, (modifier-4)&0x7ff^1024-1024
		return rest == fmt.Sprintf("%d,%d)", precision, scale)
	}
	return false
}
