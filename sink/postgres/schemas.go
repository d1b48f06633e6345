package postgres

import (
	"fmt"
	"slices"

	"github.com/pgbridge/pgbridge/change"
	"github.com/pgbridge/pgbridge/schema"
)

// schemas are the models that were needed last, as the replica's server writes them. A database can have thousands of tables, and a change
// of the schema concerns few: so only what is needed of a model is rendered, and all of it where that is asked for.
type schemas struct {
	renderer schema.Renderer
	views    []*view // the one that was needed last is the last
}

// view is a model as far as it has been rendered.
type view struct {
	model *change.Model
	image *schema.Image
	whole *rendered // nil: it was not needed yet
	parts int       // rendered one by one so far
}

const (
	maxViews = 3 // a step needs two, and a schema that is ahead is a third
	maxParts = 8 // by then it is less work to render the whole once
)

// rendered is a schema, or a part of one, with its tables by their OIDs on the master.
type rendered struct {
	*schema.Model
	tables map[uint32]*schema.Table
	firing map[firing]bool // triggers and rules that fire also where rows are applied
}

func (t *Target) view(m *change.Model) (*view, error) {
	s := &t.schemas
	if i := slices.IndexFunc(s.views, func(v *view) bool { return v.model == m }); i >= 0 {
		v := s.views[i]
		s.views = append(slices.Delete(s.views, i, i+1), v)
		return v, nil
	}
	image, err := s.renderer.Image(schema.CatalogOf(m))
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", m.Checksum(), err)
	}
	v := &view{model: m, image: image}
	if len(s.views) == maxViews {
		s.views = slices.Delete(s.views, 0, 1)
	}
	s.views = append(s.views, v)
	return v, nil
}

func (t *Target) render(v *view, image *schema.Image) (*rendered, error) {
	model, err := image.Model(schema.Options{Target: t.version, Table: t.o.Tables, OwnDefaults: t.ownDefaults})
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", v.model.Checksum(), err)
	}
	r := &rendered{model, map[uint32]*schema.Table{}, map[firing]bool{}}
	for _, tbl := range model.Tables() {
		r.tables[tbl.OID] = tbl
	}
	for _, o := range model.Objects {
		if o.Firing != "" {
			r.firing[firing{o.Kind, o.Schema, o.Table, o.Name}] = true
		}
	}
	return r, nil
}

// rendered is the whole schema that a model describes.
func (t *Target) rendered(m *change.Model) (*rendered, error) {
	v, err := t.view(m)
	if err != nil {
		return nil, err
	}
	if v.whole == nil {
		v.whole, err = t.render(v, v.image)
	}
	return v.whole, err
}

// renderedOnce is rendered for who needs it for a moment, and seldom.
func (t *Target) renderedOnce(m *change.Model) (*rendered, error) {
	v, err := t.view(m)
	if err != nil {
		return nil, err
	}
	if v.whole != nil {
		return v.whole, nil
	}
	return t.render(v, v.image)
}

// around is what a model says of a relation and of all that is needed to tell that.
func (t *Target) around(m *change.Model, oid uint32) (*rendered, error) {
	v, err := t.view(m)
	if err != nil {
		return nil, err
	}
	if v.whole != nil || v.parts == maxParts {
		return t.rendered(m)
	}
	v.parts++
	return t.render(v, v.image.Around(oid))
}

// pair is of two models the part that a plan from one to the other needs, with the pending indexes, which the plan makes again.
func (t *Target) pair(from, to *change.Model, pending []PendingIndex) (before, now *rendered, err error) {
	a, err := t.view(from)
	if err != nil {
		return nil, nil, err
	}
	b, err := t.view(to)
	if err != nil {
		return nil, nil, err
	}
	var indexes []uint32
	for _, p := range pending {
		indexes = append(indexes, p.OID)
	}
	x, y := schema.Between(a.image, b.image, indexes...)
	if x.Len() == a.image.Len() {
		before, err = t.rendered(from)
	} else {
		before, err = t.render(a, x)
	}
	if err != nil {
		return nil, nil, err
	}
	if y.Len() == b.image.Len() {
		now, err = t.rendered(to)
	} else {
		now, err = t.render(b, y)
	}
	return before, now, err
}
